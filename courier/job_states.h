/*
 * How a job in memory goes from state to state, and out of memory: for courier/jobs.c. The loop's thread alone calls
 * these functions.
 */
#ifndef COURIER_JOB_STATES_H
#define COURIER_JOB_STATES_H

#include "courier/job.h"
#include "courier/queue.h"

/* The one function that changes a job's state. */
void job_change_state(struct jobs *jobs, struct job *job, enum job_state state);

/* Takes it out of its endpoint's heap, if it is there. Its state is changed next. */
void job_dequeue(struct job *job);

/* The job comes into memory: its members are set. It waits. */
void job_enter(struct jobs *jobs, struct job *job);

/* Its outcome is not on the lane any more, or another one is. */
void job_set_committed(struct jobs *jobs, struct job *job);

/* What follows the job in its order, if it is in one, does not wait for it any more. It is not in flight. */
void job_end_turn(struct jobs *jobs, struct job *job);

/* All jobs of the lane that wait go from memory. */
void job_leave_lane(struct jobs *jobs, struct fifo_lane *lane);

/* The job, which is not in flight, is put into its order, if there is room. */
void job_order(struct jobs *jobs, struct job *job);

/* Frees the job. A caller that needs its row read again has asked courier/look.h for that before. */
void job_forget(struct jobs *jobs, struct job *job);

/* A job that waits is left in its row, which is read when the job may be taken into memory. */
void job_leave(struct jobs *jobs, struct job *job);

/* The same for those that follow it in its order, whose rows are read when its turn is over. */
void job_leave_followers(struct jobs *jobs, struct job *job);

/* The same for one of the endpoint's jobs that are due late; one waits. */
void job_leave_late(struct jobs *jobs, struct queue *queue);

#endif
