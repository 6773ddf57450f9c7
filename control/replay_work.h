/*
 * Continues replays. A slice (control/replay_slice.h) is a transaction that also stores the replay's progress, so a
 * process or a node may die at any time. A node locks the row of a replay before it works on it, so nodes share the
 * replays.
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

/* In addition to the results of db_query(): the node has no row now; nothing was done. */
enum replay_condition { REPLAY_NO_NODE = DB_BUSY + 1 };

/*
 * Does one slice of the replay whose row is in `rows`, locked by a transaction of jobs_begin(). *version: of changes,
 * 0: not raised; the caller passes it to propagation_wake_couriers() after the commit. Returns as db_query(), or
 * REPLAY_NO_NODE; DB_REFUSED: the replay cannot go on.
 */
int replay_work_slice(
    struct replay_work *work, struct db *db, struct db_rows *rows, int64_t *version, struct error *err);

/* Works on replays until none may go on or the turn's time is over. In no transaction. 0 or <0. */
int replay_work_turn(struct replay_work *work, struct db *db, struct error *err);

#endif
