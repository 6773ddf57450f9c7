/*
 * The work of the store thread, in turns. A turn does a part of each duty that is due: the node's row first, then
 * outcomes. So no duty waits longer than one part of each other duty. For the store thread.
 */
#ifndef COURIER_STORE_DUTIES_H
#define COURIER_STORE_DUTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/messages.h"
#include "courier/store_requests.h"
#include "shm/segment.h"
#include "store/db.h"

struct store_duties;

/*
 * config with its secrets, segment and messages are borrowed; courier: its number; lane: its OUTCOMES, whose arena is
 * mapped. Never NULL.
 */
struct store_duties *store_duties_new(const struct config *config, const struct segment *segment, uint32_t courier,
    const struct lane *lane, struct message_queue *messages);
void store_duties_free(struct store_duties *duties);

/*
 * Does a turn. request: the loop's oldest one, or NULL; *done: it is fulfilled. *worked: something was due. As
 * db_commit(); after any result but 0 the failed duty is still due.
 */
int store_duties_turn(struct store_duties *duties, struct db *db, struct store_request *request, bool *done,
    bool *worked, struct error *err); /* six: the turn's work, its two results, and the error */

/* Call it after a turn that did not return 0, or if there is no connection. */
void store_duties_failed(const struct store_duties *duties);

/* When the next turn is due, by the steady clock, apart from requests and outcomes. */
int64_t store_duties_due_us(const struct store_duties *duties);

/* Whether requests can be served: the node has a row. */
bool store_duties_take_requests(const struct store_duties *duties);

/* Whether outcomes wait on the lane. */
bool store_duties_outcomes_wait(const struct store_duties *duties);

/*
 * For the end of the thread. write_outcomes(): writes some waiting outcomes; DB_BUSY: the node has no row. leave():
 * call it when none wait; records that the node has stopped. Both return as a turn.
 */
int store_duties_write_outcomes(struct store_duties *duties, struct db *db, struct error *err);
int store_duties_leave(struct store_duties *duties, struct db *db, struct error *err);

#endif
