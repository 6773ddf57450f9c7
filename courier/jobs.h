/*
 * The jobs in a courier's memory: found by id, bounded in bytes, each in one state. A job stays until its outcome is
 * committed and nothing is due for it soon; then only its row is left (docs/delivery-design.md, "The life of a job").
 * The loop's thread alone calls these functions; times are of the steady clock unless said otherwise.
 */
#ifndef COURIER_JOBS_H
#define COURIER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/event_copy.h"
#include "courier/job.h"
#include "courier/read_schedule.h"
#include "courier/queue.h"
#include "courier/ready.h"

/* The facts about a job that is taken into memory. */
struct job_facts {
	uint8_t job_id[16];
	uint8_t transform_id[16]; /* all zero: none */
	int64_t due_us;
	int64_t expires_us; /* steady clock */
	bool expires_anew;
	uint32_t attempt_count, attempt_base; /* as in its row */
	struct fifo_lane *lane; /* with fifo: the lane, whose rows all stand before this one */
	int64_t fifo_seq;
};

/* The four parts and attempts are borrowed; attempts is cleared. */
void jobs_open(struct jobs *jobs, uint64_t limit, struct attempt_words *attempts);

/* Forgets all jobs. None may be in flight. */
void jobs_close(struct jobs *jobs);

struct job *jobs_find(const struct jobs *jobs, const uint8_t job_id[16]);

/*
 * Takes a job into memory; its id must not be there. The job takes its own reference of the event. If memory is full
 * afterwards, waiting jobs are left in their rows.
 */
void jobs_take(struct jobs *jobs, struct queue *queue, struct event_copy *event, const struct job_facts *facts);

/* Begins an attempt; at most COURIER_IN_FLIGHT_MOST are under way. The job must be WAITING and its endpoint deliver. */
void jobs_start(struct jobs *jobs, struct job *job);

/*
 * Call it after putting the job's outcome on the lane at position. due_us: when the job is due again; NEVER_US: it is
 * delivered or dead. The job was in flight, or waited and died without an attempt. The call may free it.
 */
void jobs_reported(struct jobs *jobs, struct job *job, uint32_t position, int64_t due_us);

/* The end of a drain cut the attempt off: there is no outcome, and the row stays as it is. Frees the job. */
void jobs_cut_off(struct jobs *jobs, struct job *job);

/* The outcomes up to that position of the lane are committed. */
void jobs_committed(struct jobs *jobs, uint32_t released);

/*
 * The store refuses the outcome at that position of the lane in every form; jobs_committed() has not passed it yet. If
 * it is the job's last outcome, the job stays in memory, because its row is outdated, and is attempted again after ten
 * minutes at the earliest.
 */
void jobs_refused(struct jobs *jobs, const uint8_t job_id[16], uint32_t position);

/* Unloads the endpoint's waiting jobs, which stay in their rows: it holds, is gone, or asked for a pause. */
void jobs_unload(struct jobs *jobs, struct queue *queue);

/*
 * Applies a new configuration of the endpoint. If it changes the order, waiting jobs are left in their rows, and no job
 * begins before those under way have ended.
 */
void jobs_apply_fifo(struct jobs *jobs, struct queue *queue);

/* Stops the order: its waiting jobs are left in their rows, and no row is taken until the next full round. */
void jobs_stop(struct jobs *jobs, struct fifo_lane *lane);

/* As jobs_unload(), but keeps JOBS_OF_BREAKER_MOST jobs: the breaker is open. */
void jobs_unload_most(struct jobs *jobs, struct queue *queue);

/* Another node has this node's row: no job in memory is begun any more. */
void jobs_disown(struct jobs *jobs);

/* The transform is loaded or cannot be read: its parked jobs go on. */
void jobs_unpark(struct jobs *jobs, struct shared_transform *transform);

#endif
