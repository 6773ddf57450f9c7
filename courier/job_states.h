/*
 * How a job in memory changes its state and leaves memory. For courier/jobs.c. The loop's thread alone calls these
 * functions.
 */
#ifndef COURIER_JOB_STATES_H
#define COURIER_JOB_STATES_H

#include "courier/job.h"
#include "courier/queue.h"

/* The one function that changes a job's state. */
void job_change_state(struct jobs *jobs, struct job *job, enum job_state state);

/* Takes the job out of its endpoint's heap, if it is there. Change its state next. */
void job_dequeue(struct job *job);

/* Takes a job whose members are set into memory, as WAITING. */
void job_enter(struct jobs *jobs, struct job *job);

/* Marks its outcome as committed, or replaced by another one on the lane. */
void job_set_committed(struct jobs *jobs, struct job *job);

/* Takes the job out of its order, if it is in one: the next job need not wait for it. It must not be in flight. */
void job_leave_lane(struct jobs *jobs, struct job *job);

/* Unloads all waiting jobs of the lane. */
void job_unload_lane(struct jobs *jobs, struct fifo_lane *lane);

/* Puts the job into its order, if there is room. It must not be in flight. */
void job_join_lane(struct jobs *jobs, struct job *job);

/* Frees the job. A caller that needs its row read again asks courier/read_schedule.h first. */
void job_forget(struct jobs *jobs, struct job *job);

/* Unloads a waiting job, and has its row read when the job may be taken into memory again. */
void job_unload(struct jobs *jobs, struct job *job);

/* The same for the jobs that follow it in its order; their rows are read when its turn is over. */
void job_unload_followers(struct jobs *jobs, struct job *job);

/* The same for one of the endpoint's jobs that are due late. At least one job must wait. */
void job_unload_late(struct jobs *jobs, struct queue *queue);

#endif
