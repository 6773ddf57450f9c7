/*
 * The orders of an endpoint with fifo: one for all its jobs, or one for each ordering_key. A lane holds the earliest
 * jobs of an order in memory; only the first of them is attempted. Rows are read in the order of their places, and a
 * row that is committed later has a higher place (store/webhooks/fifo_places.h). So a lane holds the earliest jobs as
 * long as it takes no row behind one that was left out. `skipped` marks a lane with a row that was left out, until a
 * full round begins, which reads the rows from the first one. Other rounds read only new rows, behind the last one that
 * was read. Rows of place 0 come later than others and are announced; they need a full round. The loop's thread alone
 * calls these functions.
 */
#ifndef COURIER_FIFO_H
#define COURIER_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "courier/id_table.h"
#include "courier/transform_cache.h"
#include "event/record.h"

/*
 * An order by key has more jobs than this in memory only while half of the room is free: no key crowds out the
 * others.
 */
#define FIFO_KEY_JOBS 32u
/* Most orders of an endpoint in memory. The others go on when some of these have ended. */
#define FIFO_LANES_MOST 10000u
/* Lower than the place of any row. */
#define FIFO_BEFORE_ALL INT64_MIN

struct fifo_lane {
	struct id_link link; /* by the key's digest */
	struct job_list jobs; /* by place, then by id */
	uint32_t count, in_flight;
	struct job *heap_job; /* the lane's job in its endpoint's heap; NULL: none */
	bool skipped; /* rows of the order were skipped, and may stand before those that are read next */
};

/* All zero: the endpoint keeps no order. */
struct fifo {
	struct id_table lanes;
	uint8_t salt[16]; /* of the digests: customers choose the keys */
	bool on, by_key; /* as configured */
	bool blocks; /* as configured: a dead letter stops its order */
	bool unplaced; /* there may be rows without a place: they get one before the next full round */
	bool placing; /* the page that was asked for gives them places */
	int64_t place_until_us; /* when to do it again: publishers may have committed by the old configuration */
	bool restart; /* the orders have changed since the round began: its rows are not taken */
	bool from_start; /* after the page under way read the first one again: a row may stand before it */
	uint32_t in_flight; /* attempts of jobs in lanes */
	uint32_t
	    of_former_order; /* jobs of the former order, under way or reported: no row is read before they are gone */
	int64_t seen; /* the highest place of a row that was read */
	int64_t lower; /* the newest place, when it was below `seen`; 0: none */
};

/* Sets the kind of orders that the endpoint keeps, or none. It must have no lanes. */
void fifo_set(struct fifo *fifo, bool on, bool by_key, int64_t now_us);

/* Finds or makes the lane of an event's jobs. NULL: there are too many lanes. record NULL: the event is gone. */
struct fifo_lane *fifo_lane(struct fifo *fifo, const struct record *record);

/* Whether rows of the event's order were skipped. */
bool fifo_has_skipped(const struct fifo *fifo, const struct record *record);

/*
 * Whether the lane takes another job: not while its last job is due later or waits for a commit. roomy: half of the
 * endpoint's share of memory is free.
 */
bool fifo_takes(const struct fifo *fifo, const struct fifo_lane *lane, bool roomy, int64_t now_us);

/* Finds or makes the lane of that key, for an order that is stopped; without by_key there is one lane. Never NULL. */
struct fifo_lane *fifo_of_key(struct fifo *fifo, struct span ordering_key);

/*
 * Notes the newest place, whose job waits. Returns whether its row is still to be read: the place is higher than all
 * that were read; or, after somebody has edited the count, it is lower and was passed twice in a row.
 */
bool fifo_note_newest(struct fifo *fifo, int64_t seq);

/* Whether the endpoint has one order, with a skipped row: no further row of a page can be taken. */
bool fifo_is_stuck(const struct fifo *fifo);

/* Puts the job into the lane at its place; takes it out of its lane, if it is not in flight. */
void fifo_add(struct fifo_lane *lane, struct job *job);
void fifo_remove(struct job *job);

/* The job to attempt next; NULL: none, for instance because one of the lane is under way. */
struct job *fifo_next(const struct fifo_lane *lane);

/* An attempt of a job of a lane begins (1), or has ended (-1). */
void fifo_count(struct fifo *fifo, struct fifo_lane *lane, int32_t step);

/* Begins a full round: clears `skipped` of all lanes, and forgets lanes without jobs. */
void fifo_round_begins(struct fifo *fifo);

/* Forgets all lanes, which must have no jobs: no order is kept. */
void fifo_clear(struct fifo *fifo);

#endif
