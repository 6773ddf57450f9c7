/* Changes the states of jobs, and accounts for the memory that an endpoint's jobs take. */
#include "courier/job_states.h"

#include <assert.h>
#include <stdlib.h>

#include "courier/event_copy.h"
#include "courier/fifo.h"
#include "courier/job_room.h"
#include "courier/read_schedule.h"
#include "courier/queues.h"
#include "courier/ready.h"

/* ---- room ---- */

static uint64_t
bytes_of(const struct job *job)
{
	return sizeof *job + job->event->bytes;
}

/* Keeps the endpoint in the heap while it can give up a waiting job that is not its last one. */
static void
update_size(struct jobs *jobs, struct queue *queue)
{
	if (queue->job_count > 1 && queue_waiting(queue) > 0)
		heap_put(&jobs->sizes, &queue->size, -(int64_t)queue->waiting_bytes);
	else
		heap_remove(&jobs->sizes, &queue->size);
}

/* Adds the job to its endpoint, or removes it. */
static void
account(struct jobs *jobs, struct job *job, bool more)
{
	struct queue *queue = job->queue;

	if (more) {
		TAILQ_INSERT_TAIL(&queue->jobs, job, of_queue);
		queue->job_count++;
		queue->bytes += bytes_of(job);
		jobs->bytes += sizeof *job;
	} else {
		TAILQ_REMOVE(&queue->jobs, job, of_queue);
		queue->job_count--;
		queue->bytes -= bytes_of(job);
		jobs->bytes -= sizeof *job;
	}
	update_size(jobs, queue);
	if (queue->job_count == 0)
		jobs->busy--;
	else if (queue->job_count == 1 && more)
		jobs->busy++;
	if (queue->job_count <= 1)
		queues_note_use(jobs->queues, queue, jobs->ready->now_us);
	/* A round that waits for room resumes when half of the share is free. */
	if (!more && queue->round == ROUND_OPEN && queue->next_us > jobs->schedule->now_us &&
	    jobs_half_is_free(jobs, queue))
		read_schedule_pause_round(jobs->schedule, queue, jobs->schedule->now_us);
}

/* ---- states ---- */

/* Puts the job into its endpoint's heap. */
static void
enqueue(struct job *job)
{
	heap_put(&job->queue->waiting[job->class], &job->due, job->due.at);
	job->queue->waiting_bytes += bytes_of(job);
}

void
job_dequeue(struct job *job)
{
	if (job->due.place == 0)
		return;
	if (job->lane != NULL)
		job->lane->heap_job = NULL;
	heap_remove(&job->queue->waiting[job->class], &job->due);
	job->queue->waiting_bytes -= bytes_of(job);
}

/* Puts the lane's next job into the heap; no other job of the lane stands there. Its lifetime begins with its turn. */
static void
set_heap_job(struct jobs *jobs, struct queue *queue, struct fifo_lane *lane)
{
	struct job *next = fifo_next(lane);

	if (lane->heap_job == next)
		return;
	if (lane->heap_job != NULL)
		job_dequeue(lane->heap_job);
	if (next == NULL)
		return;
	if (next->expires_anew && next->class == JOB_FIRST && queue->config != NULL)
		next->expires_us = jobs->ready->now_us + endpoint_lifetime_ms(queue->config) * 1000;
	enqueue(next);
	lane->heap_job = next;
}

void
job_change_state(struct jobs *jobs, struct job *job, enum job_state state)
{
	struct queue *queue = job->queue;

	if (job->state == JOB_IN_FLIGHT) {
		ready_end(jobs->ready, queue, job->begun_class);
		jobs->places[--jobs->in_flight] = job->place;
		attempts_set(jobs->attempts, job->place, 0);
		endpoint_config_unref(job->config);
		job->config = NULL;
		if (job->lane != NULL)
			fifo_count(&queue->fifo, job->lane, -1);
	} else if (job->parked) {
		TAILQ_REMOVE(&job->transform->parked, job, in_parked);
		job->parked = false;
	} else {
		job_dequeue(job);
	}
	job->state = state;
	if (state == JOB_IN_FLIGHT) {
		assert(jobs->in_flight < COURIER_IN_FLIGHT_MOST);
		ready_begin(jobs->ready, queue, job->class);
		job->begun_class = job->class;
		job->class = JOB_AGAIN;
		job->place = jobs->places[jobs->in_flight++];
		attempts_set(jobs->attempts, job->place, queue->tenant->hash);
		job->config = endpoint_config_ref(queue->config);
		if (job->lane != NULL)
			fifo_count(&queue->fifo, job->lane, 1);
	} else if (state == JOB_WAITING && job->transform != NULL && job->transform->state == TRANSFORM_LOADING) {
		TAILQ_INSERT_TAIL(&job->transform->parked, job, in_parked);
		job->parked = true;
	} else if (state == JOB_WAITING && job->lane == NULL) {
		enqueue(job);
	}
	if (job->lane != NULL)
		set_heap_job(jobs, queue, job->lane);
	update_size(jobs, queue);
	if (queue->breaker.state != BREAKER_CLOSED)
		read_schedule_update(jobs->schedule, queue);
	ready_update(jobs->ready, queue);
}

void
job_set_committed(struct jobs *jobs, struct job *job)
{
	if (!job->uncommitted)
		return;
	TAILQ_REMOVE(&jobs->uncommitted, job, in_uncommitted);
	job->uncommitted = false;
}

void
job_leave_lane(struct jobs *jobs, struct job *job)
{
	struct fifo_lane *lane = job->lane;

	if (lane == NULL)
		return;
	fifo_remove(job);
	set_heap_job(jobs, job->queue, lane);
	update_size(jobs, job->queue);
	ready_update(jobs->ready, job->queue);
}

/* After the last job of the former order the rows are read: attempts under the former order may have left rows without
 * a place. */
static void
leave_former_order(struct jobs *jobs, struct job *job)
{
	struct queue *queue = job->queue;

	if (!job->of_former_order)
		return;
	job->of_former_order = false;
	if (--queue->fifo.of_former_order > 0)
		return;
	queue->fifo.unplaced = true;
	read_schedule_from_start(jobs->schedule, queue);
	ready_update(jobs->ready, queue);
}

void
job_join_lane(struct jobs *jobs, struct job *job)
{
	struct fifo_lane *lane = fifo_lane(&job->queue->fifo, job->event->record);

	leave_former_order(jobs, job);
	if (lane != NULL)
		fifo_add(lane, job);
}

void
job_forget(struct jobs *jobs, struct job *job)
{
	job_set_committed(jobs, job);
	job_change_state(jobs, job, JOB_NONE);
	job_leave_lane(jobs, job);
	leave_former_order(jobs, job);
	id_table_remove(&jobs->table, &job->link);
	transform_cache_unref(jobs->transforms, job->transform);
	account(jobs, job, false);
	event_copy_unref(jobs, job->event);
	free(job);
}

/*
 * Removes a waiting job from memory. If its outcome is not committed, its row is outdated, so it waits for the
 * commit.
 */
static void
put_back(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_WAITING);
	if (job->lane != NULL)
		job->lane->skipped = true;
	if (job->uncommitted)
		job_change_state(jobs, job, JOB_REPORTED);
	else
		job_forget(jobs, job);
}

/* Puts back the waiting jobs of the lane behind that job; NULL: all waiting jobs. */
static void
unload_behind(struct jobs *jobs, struct fifo_lane *lane, const struct job *job)
{
	struct job *last, *before;

	for (last = TAILQ_LAST(&lane->jobs, job_list); last != job; last = before) {
		before = TAILQ_PREV(last, job_list, in_lane);
		if (last->state == JOB_WAITING)
			put_back(jobs, last);
	}
}

void
job_unload_followers(struct jobs *jobs, struct job *job)
{
	if (job->lane != NULL)
		unload_behind(jobs, job->lane, job);
}

void
job_unload_lane(struct jobs *jobs, struct fifo_lane *lane)
{
	unload_behind(jobs, lane, NULL);
}

void
job_unload(struct jobs *jobs, struct job *job)
{
	if (!job->uncommitted)
		read_schedule_due_job(jobs->schedule, job->queue, job->link.id, job->due.at);
	put_back(jobs, job);
}

/* One of the endpoint's jobs that are due late; not its first one if others wait or follow it in its order. */
static struct job *
late_job(const struct queue *queue)
{
	struct heap_item *first = heap_late(&queue->waiting[JOB_FIRST]), *again = heap_late(&queue->waiting[JOB_AGAIN]);
	struct heap_item *item = first == NULL || (again != NULL && again->at > first->at) ? again : first;
	struct job *job = HEAP_ENTRY(item, struct job, due);
	struct job *last = job->lane != NULL ? TAILQ_LAST(&job->lane->jobs, job_list) : job;

	return last->state == JOB_WAITING ? last : job;
}

void
job_unload_late(struct jobs *jobs, struct queue *queue)
{
	struct job *job = late_job(queue);

	job_unload_followers(jobs, job);
	job_unload(jobs, job);
}

void
job_enter(struct jobs *jobs, struct job *job)
{
	id_table_add(&jobs->table, &job->link);
	account(jobs, job, true);
	job_change_state(jobs, job, JOB_WAITING);
}
