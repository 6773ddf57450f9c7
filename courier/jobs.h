/*
 * The jobs in a courier's memory: found by id, bounded in bytes, each in one state. A job stays until its outcome is
 * committed and nothing is to be done for it soon; then its row is what is left of it (docs/delivery-design.md, "The
 * life of a job"). The loop's thread alone calls these functions; times are of the steady clock unless they say so.
 */
#ifndef COURIER_JOBS_H
#define COURIER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/event_copy.h"
#include "courier/job.h"
#include "courier/look.h"
#include "courier/queue.h"
#include "courier/ready.h"

/* What is known of a job that is taken into memory. */
struct job_facts {
	uint8_t job_id[16];
	uint8_t transform_id[16]; /* all zero: none */
	int64_t due_us;
	int64_t expires_us; /* steady clock */
	bool expires_anew;
	uint32_t attempt_count, attempt_base; /* as in its row */
	struct fifo_lane *lane; /* of an endpoint with fifo: behind the rows that the lane has */
	int64_t fifo_seq;
};

/* The four parts and attempts are borrowed; attempts are emptied. */
void jobs_open(struct jobs *jobs, uint64_t limit, struct attempt_words *attempts);

/* Forgets all of them. Nothing is in flight. */
void jobs_close(struct jobs *jobs);

struct job *jobs_find(const struct jobs *jobs, const uint8_t job_id[16]);

/*
 * Takes a job into memory, whose id is not there. It gets a reference of the event of its own. When memory is full now,
 * jobs that wait are left in their rows.
 */
void jobs_take(struct jobs *jobs, struct queue *queue, struct event_copy *event, const struct job_facts *facts);

/* An attempt begins, of at most COURIER_IN_FLIGHT_MOST. The job waits; its endpoint delivers. */
void jobs_start(struct jobs *jobs, struct job *job);

/*
 * Its outcome is on the lane, and the job is due again then; NEVER_US: it is delivered or dead. The job was in
 * flight, or waited and died without an attempt. It may be forgotten by the next call that is told of a commit.
 */
void jobs_reported(struct jobs *jobs, struct job *job, uint32_t position, int64_t due_us);

/* The attempt was cut off by the end of a drain, and has no outcome: the job stays as its row is. */
void jobs_cut_off(struct jobs *jobs, struct job *job);

/* The outcomes below that position of the lane are committed. */
void jobs_committed(struct jobs *jobs, uint32_t released);

/*
 * The store takes the outcome at that position of the lane, which is not told as committed yet, in no form. If it is
 * the job's last one, the job is attempted again, not before ten minutes have passed: its row does not say that it must
 * wait.
 */
void jobs_refused(struct jobs *jobs, const uint8_t job_id[16], uint32_t position);

/* The jobs of the endpoint that wait are left in their rows. For one that holds, is gone, or was asked for a pause. */
void jobs_leave(struct jobs *jobs, struct queue *queue);

/*
 * The endpoint has another configuration: where it keeps another order, or one no more, its jobs that wait are left in
 * their rows, and no job begins before those under way have ended.
 */
void jobs_order(struct jobs *jobs, struct queue *queue);

/* The order is stopped: its jobs that wait are left in their rows, of which none is taken until the next full round. */
void jobs_stop(struct jobs *jobs, struct fifo_lane *lane);

/* As jobs_leave(), but for as many as an endpoint keeps whose breaker is open. */
void jobs_leave_most(struct jobs *jobs, struct queue *queue);

/* The node's row is another's: nothing of what is in memory is to be begun. */
void jobs_lose(struct jobs *jobs);

/* The transform is there, or cannot be read: its parked jobs go on. */
void jobs_unpark(struct jobs *jobs, struct shared_transform *transform);

#endif
