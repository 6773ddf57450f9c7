/*
 * Looks for jobs of endpoints with fifo that other nodes have stored and this node must send: they come by no parcel. A
 * publisher or an adoption that makes this node the sender also announces the endpoint to the courier, or has it scan
 * all endpoints. For the store thread.
 */
#ifndef COURIER_PLACE_WATCH_H
#define COURIER_PLACE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "shm/segment.h"
#include "store/db.h"

struct place_watch {
	/* Borrowed. */
	const struct segment *segment;
	uint32_t courier; /* looks for its endpoints */
	struct message_queue *messages;

	int64_t looked_us; /* steady: the last look */
	bool sends; /* the node sends to an endpoint with fifo, or that is unknown */
};

/*
 * When to look, by the steady clock. knows_fifo: the courier knows an endpoint with fifo. INT64_MAX: the node has no
 * row, or no other node is alive.
 */
int64_t place_watch_due_us(const struct place_watch *watch, int64_t node_id, bool knows_fifo);

/* Call it after a scan of the courier: the node may send to endpoints that were unknown before. */
void place_watch_look_anew(struct place_watch *watch);

/* Sends MESSAGE_HAS_PLACE for each endpoint whose newest job waits. No transaction may be open. As db_query(). */
int place_watch_look(struct place_watch *watch, struct db *db, int64_t node_id, struct error *err);

#endif
