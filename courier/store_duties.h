/*
 * What the store thread does, in turns: a turn does a part of each thing that is due, the node's row first, then
 * outcomes. So nothing waits for longer than a part of each other thing takes. For the store thread.
 */
#ifndef COURIER_STORE_DUTIES_H
#define COURIER_STORE_DUTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/errands.h"
#include "courier/news.h"
#include "shm/segment.h"
#include "store/db.h"

struct store_duties;

/*
 * config with its secrets, segment and news are borrowed; courier: this one's number; lane: its OUTCOMES, whose arena
 * is mapped. Never NULL.
 */
struct store_duties *store_duties_new(const struct config *config, const struct segment *segment, uint32_t courier,
    const struct lane *lane, struct news_queue *news);
void store_duties_free(struct store_duties *duties);

/*
 * A turn. errand: the loop's oldest one, or NULL; *done: it is fulfilled. *worked: something was due. 0; as db_commit()
 * otherwise: what was due is still due.
 */
int store_duties_turn(struct store_duties *duties, struct db *db, struct errand *errand, bool *done, bool *worked,
    struct error *err); /* six: the turn's work, its two results, and the error */

/* A turn has returned another result than 0, or there is no connection for one. */
void store_duties_failed(const struct store_duties *duties);

/* When a turn is due again, by the steady clock, apart from errands and outcomes. */
int64_t store_duties_due_us(const struct store_duties *duties);

/* Whether errands can be fulfilled: the node has a row. */
bool store_duties_take_errands(const struct store_duties *duties);

/* Whether outcomes wait on the lane. */
bool store_duties_outcomes_wait(const struct store_duties *duties);

/*
 * For the end: writes some of the outcomes that wait, as a turn does, DB_BUSY while the node has no row; then, when
 * none wait, what else is to be said. Return as a turn.
 */
int store_duties_write_outcomes(struct store_duties *duties, struct db *db, struct error *err);
int store_duties_leave(struct store_duties *duties, struct db *db, struct error *err);

#endif
