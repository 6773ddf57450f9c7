/*
 * Replays go on: a slice (control/replay_slice.h) is a transaction, which stores how far the replay is, so that a
 * process or a node may die at any instant. A node locks the row of a replay before it works on
 * it, so nodes share the replays.
 */
#ifndef CONTROL_REPLAY_WORK_H
#define CONTROL_REPLAY_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/router.h"

/* For one thread. Everything is borrowed but the router, which the caller frees. */
struct replay_work {
	const struct config *config;
	const struct segment *segment;
	struct router *router;
};

/* Beside what db_query() returns: the node has no row of its own now. Nothing has happened. */
enum replay_condition { REPLAY_NO_NODE = DB_BUSY + 1 };

/*
 * One slice of the replay whose row that is, locked by a transaction of jobs_begin(). *version: of changes, or 0 if it
 * was not raised; the caller tells it to the couriers after the commit (control/at_once.h). Returns as db_query(), or
 * REPLAY_NO_NODE; DB_REFUSED: the replay cannot go on.
 */
int replay_work_slice(
    struct replay_work *work, struct db *db, struct db_rows *rows, int64_t *version, struct error *err);

/* Works for a while on replays that may go on; nothing is left to do, or a turn is over. In no transaction. 0 or <0. */
int replay_work_turn(struct replay_work *work, struct db *db, struct error *err);

#endif
