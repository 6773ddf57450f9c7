/*
 * look_at: of every endpoint the instant at which its rows are to be read (docs/delivery-design.md). Everything that
 * leaves a job in its row, or forgets one that stays there, brings it nearer by look_leave(). courier/pages.c reads the
 * rows, in rounds. The loop's thread alone calls these functions; times are of the steady clock.
 */
#ifndef COURIER_LOOK_H
#define COURIER_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/queue.h"

#define LOOK_AHEAD_US (60 * INT64_C(1000000)) /* a job that is due within this time is in memory */
#define LOOK_STOPPED_US (60 * INT64_C(1000000)) /* whether an order is still stopped: its dead letter may be removed */
#define OLD_PARCEL_US (4 * INT64_C(1000000)) /* a job of a parcel is taken until it is that old; see YOUNG_ROW_US */

struct look {
	struct heap heap; /* endpoints whose rows are to be read */
	int64_t now_us;
};

/* Jobs of the endpoint are in rows only: all its rows are to be read then. */
void look_leave(struct look *look, struct queue *queue, int64_t at_us);

/* The same for this job: no row of a job that was made before it need be read. */
void look_leave_job(struct look *look, struct queue *queue, const uint8_t job_id[16], int64_t at_us);

/* The same for a job that is due then: its row is to be read when it may be taken into memory. */
void look_leave_due(struct look *look, struct queue *queue, const uint8_t job_id[16], int64_t due_us);

/* The endpoint has fifo, and new rows: they are to be read then, but none that stand before the last one of before. */
void look_behind(struct look *look, struct queue *queue, int64_t at_us);

/* Whether the next round reads the rows of an endpoint with fifo that are new alone. */
bool look_is_behind(const struct look *look, const struct queue *queue);

/*
 * The rows are to be read now, and from the first one on, although the endpoint's breaker is open or its receiver has
 * asked for a pause.
 */
void look_anew(struct look *look, struct queue *queue);

/* The rows are to be read now, and from the first one on: something may stand before those that were read last. */
void look_from_start(struct look *look, struct queue *queue);

/*
 * An endpoint whose row cannot be used keeps nothing, and its jobs are to be marked as held. Publishers do not know
 * that: it has got a job that is not. When it is time for that endpoint, and look_is_for_marks(), its configuration is
 * read anew, which has the jobs marked, and look_marked() called.
 */
void look_unmarked(struct look *look, struct queue *queue, int64_t now_us);
bool look_is_for_marks(const struct queue *queue);
void look_marked(struct look *look, struct queue *queue);

/* Puts the endpoint where it belongs. Called after every change of its configuration, its round or
 * its breaker, and, while that is open, of its waiting jobs. */
void look_update(struct look *look, struct queue *queue);

/* The round begins, with the first page; goes on behind the cursor not before that instant; is over. */
void look_begin_round(struct look *look, struct queue *queue);
void look_pause_round(struct look *look, struct queue *queue, int64_t until_us);
void look_end_round(struct look *look, struct queue *queue);

/* The page that was asked for is the round's next one. */
void look_reads(struct look *look, struct queue *queue);

/* The endpoint whose rows are to be read next, if it is time; NULL: none. */
struct queue *look_due(const struct look *look, int64_t now_us);

/* When the next rows are to be read; NEVER_US: none are. */
int64_t look_due_us(const struct look *look);

#endif
