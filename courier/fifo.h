/*
 * The orders of an endpoint with fifo: one for all its jobs, or one for each ordering_key. A lane is what of an order
 * is in memory, its earliest jobs; the first of them alone is attempted. The rows of an endpoint are read in the order
 * of their places, and a row that is committed later has a higher one (store/webhooks/fifo_places.h). So a lane has the
 * earliest jobs of its order as long as no row is taken into it behind one that was left out: `left` says that one was,
 * until a full round begins, which reads the rows from the first one on. Other rounds go on behind the last one, for
 * what is new. Rows of place 0 come later than others, and are told of: then a full round is wanted. The loop's thread
 * alone calls these functions.
 */
#ifndef COURIER_FIFO_H
#define COURIER_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "courier/id_table.h"
#include "courier/transform_cache.h"
#include "event/record.h"

/* An order of a key has more jobs in memory only while there is much room: no key keeps the others out. */
#define FIFO_KEY_JOBS 32u
/* Of so many orders it is known where they stand; an endpoint with more that wait goes on when some have ended. */
#define FIFO_LANES_MOST 10000u
/* Lower than the place of any row. */
#define FIFO_BEFORE_ALL INT64_MIN

struct fifo_lane {
	struct id_link link; /* by the key's digest */
	struct job_list jobs; /* by place, then by id */
	uint32_t count, in_flight;
	struct job *up; /* the one that waits in its endpoint's heap; NULL: none */
	bool left; /* rows of the order are not in memory, and may stand before those that are read next */
};

/* All zero: the endpoint keeps no order. */
struct fifo {
	struct id_table lanes;
	uint8_t salt[16]; /* of the digests: customers choose the keys */
	bool on, by_key; /* as its configuration says */
	bool blocks; /* the same: a dead letter stops its order */
	bool unplaced; /* rows without a place may be there: they get one before the next full round */
	bool placing; /* the page that is asked for sees to that */
	int64_t place_until_us; /* when that is done once more: publishers commit by what they knew before */
	bool restart; /* the round has begun when the lanes were others: its rows are not taken */
	bool from_start; /* a page is read, and then the first one again: something may stand before it */
	uint32_t in_flight; /* attempts of jobs in lanes */
	uint32_t strays; /* jobs of the order of before, under way or reported: no row is read before they are gone */
	int64_t seen; /* the highest place of a row that was read */
	int64_t lower; /* a place below that which was the newest; 0: none */
};

/* The endpoint keeps orders of that kind, or none, from now on. It has no lanes. */
void fifo_set(struct fifo *fifo, bool on, bool by_key, int64_t now_us);

/*
 * The lane of an event's jobs, which is made if there is none. NULL: there are too many. record NULL: the event is
 * nowhere any more.
 */
struct fifo_lane *fifo_lane(struct fifo *fifo, const struct record *record);

/* Whether rows of the event's order are left out: they are read when there is a use for them. */
bool fifo_leaves(const struct fifo *fifo, const struct record *record);

/*
 * Whether the lane takes another job: not while its last one is due later, or waits for a commit. roomy: half of the
 * endpoint's share of memory is free.
 */
bool fifo_takes(const struct fifo *fifo, const struct fifo_lane *lane, bool roomy, int64_t now_us);

/* The lane of that key, for an order that is stopped; without by_key all orders are one. Never NULL. */
struct fifo_lane *fifo_of_key(struct fifo *fifo, struct span ordering_key);

/*
 * That place is the newest, and its job waits. Whether its row was not read yet: it is higher than all that were, or,
 * where somebody has edited the count, lower, and is the newest for the second time.
 */
bool fifo_is_news(struct fifo *fifo, int64_t seq);

/* Whether the endpoint's one order is left out: no row of a page can be taken any more. */
bool fifo_is_stuck(const struct fifo *fifo);

/* Puts the job into the lane at its place. The second takes it out of its lane; it is not in flight. */
void fifo_add(struct fifo_lane *lane, struct job *job);
void fifo_remove(struct job *job);

/* The job that may be attempted next, none of the lane being under way; NULL: none may. */
struct job *fifo_next(const struct fifo_lane *lane);

/* An attempt of a job of a lane begins (1), or has ended (-1). */
void fifo_count(struct fifo *fifo, struct fifo_lane *lane, int32_t step);

/* A full round begins: what is left out from now on is told anew. Forgets lanes without jobs. */
void fifo_round_begins(struct fifo *fifo);

/* Forgets all lanes, which have no jobs: no order is kept. */
void fifo_clear(struct fifo *fifo);

#endif
