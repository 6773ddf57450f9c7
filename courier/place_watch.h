/*
 * Looks for jobs that other nodes have stored for endpoints with fifo that this node sends to: they come by no parcel.
 * A publisher or an adoption makes this node the sender; it also has the courier learn of the endpoint, or walk. For
 * the store thread.
 */
#ifndef COURIER_PLACE_WATCH_H
#define COURIER_PLACE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/news.h"
#include "shm/segment.h"
#include "store/db.h"

struct place_watch {
	/* Borrowed. */
	const struct segment *segment;
	uint32_t courier; /* of its endpoints is told */
	struct news_queue *news;

	int64_t looked_us; /* steady: the last look */
	bool sends; /* the node sends to some endpoint, or it is not known */
};

/*
 * When it is time to look, by the steady clock; knows_fifo: the courier knows an endpoint with fifo. INT64_MAX: the
 * node has no row, or no other node is alive.
 */
int64_t place_watch_due_us(const struct place_watch *watch, int64_t node_id, bool knows_fifo);

/* The courier has walked: the node may send to endpoints that it does not know. */
void place_watch_look_anew(struct place_watch *watch);

/* Tells NEWS_HAS_PLACE of each endpoint whose newest job waits. In no transaction of the caller. As db_query(). */
int place_watch_look(struct place_watch *watch, struct db *db, int64_t node_id, struct error *err);

#endif
