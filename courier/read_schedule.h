/*
 * read_at is the time at which an endpoint's rows are to be read (docs/delivery-design.md). Code that leaves a job in
 * its row, or forgets a job that has one, brings it nearer by read_schedule_all(). courier/pages.c reads the rows, in
 * rounds. The loop's thread alone calls these functions; times are of the steady clock.
 */
#ifndef COURIER_READ_SCHEDULE_H
#define COURIER_READ_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/queue.h"

#define READ_AHEAD_US (60 * INT64_C(1000000)) /* a job that is due within this time is in memory */
#define RECHECK_STOPPED_US (60 * INT64_C(1000000)) /* recheck a stopped order: its dead letter may be gone */
#define OLD_PARCEL_US (4 * INT64_C(1000000)) /* a parcel's job that is older is left in its row; see PARCEL_WAIT_US */

struct read_schedule {
	struct heap heap; /* endpoints whose rows are to be read */
	int64_t now_us;
};

/* Jobs of the endpoint are only in rows: read all its rows at at_us. */
void read_schedule_all(struct read_schedule *schedule, struct queue *queue, int64_t at_us);

/* The same for this job: rows of jobs made before it need not be read. */
void read_schedule_job(struct read_schedule *schedule, struct queue *queue, const uint8_t job_id[16], int64_t at_us);

/* The same for a job that is due at due_us: its row is read when it may be taken into memory. */
void read_schedule_due_job(
    struct read_schedule *schedule, struct queue *queue, const uint8_t job_id[16], int64_t due_us);

/* The endpoint has fifo, and new rows: read only the rows behind the last one read, at at_us. */
void read_schedule_new_rows(struct read_schedule *schedule, struct queue *queue, int64_t at_us);

/* Whether the next round of an endpoint with fifo reads only new rows. */
bool read_schedule_is_new_rows(const struct read_schedule *schedule, const struct queue *queue);

/*
 * Reads the rows now and from the first one, even if the endpoint's breaker is open or its receiver has asked for a
 * pause.
 */
void read_schedule_anew(struct read_schedule *schedule, struct queue *queue);

/* Reads the rows now and from the first one: a row may stand before those that were read last. */
void read_schedule_from_start(struct read_schedule *schedule, struct queue *queue);

/*
 * An endpoint whose row cannot be used keeps no job in memory, and its jobs must be marked as held. Publishers do not
 * know that and add pending jobs: call read_schedule_unmarked() for each. When that endpoint is due, and
 * read_schedule_is_for_marks(), the caller has its configuration read again, which marks the jobs, and calls
 * read_schedule_marked().
 */
void read_schedule_unmarked(struct read_schedule *schedule, struct queue *queue, int64_t now_us);
bool read_schedule_is_for_marks(const struct queue *queue);
void read_schedule_marked(struct read_schedule *schedule, struct queue *queue);

/*
 * Puts the endpoint where it belongs. Call it after each change of its configuration, round or breaker, and, while the
 * breaker is open, of its waiting jobs.
 */
void read_schedule_update(struct read_schedule *schedule, struct queue *queue);

/* The round begins, with the first page; pauses, and goes on behind the cursor at until_us or later; ends. */
void read_schedule_begin_round(struct read_schedule *schedule, struct queue *queue);
void read_schedule_pause_round(struct read_schedule *schedule, struct queue *queue, int64_t until_us);
void read_schedule_end_round(struct read_schedule *schedule, struct queue *queue);

/* The round's next page was asked for. */
void read_schedule_page_asked(struct read_schedule *schedule, struct queue *queue);

/* An endpoint whose rows are due to be read; NULL: none. */
struct queue *read_schedule_next(const struct read_schedule *schedule, int64_t now_us);

/* When the next rows are to be read; NEVER_US: none are. */
int64_t read_schedule_next_us(const struct read_schedule *schedule);

#endif
