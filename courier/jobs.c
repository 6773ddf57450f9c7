/* Jobs in memory. */
#include "courier/jobs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "courier/fifo.h"
#include "courier/job_room.h"
#include "courier/job_states.h"
#include "courier/queues.h"

#define REFUSED_AGAIN_US (10 * 60 * INT64_C(1000000))

/* While memory is full, takes waiting jobs from the endpoint that uses the most. */
static void
make_room(struct jobs *jobs)
{
	struct heap_item *most;

	while (jobs_used(jobs) > jobs->limit && (most = heap_first(&jobs->sizes)) != NULL)
		job_unload_late(jobs, HEAP_ENTRY(most, struct queue, size));
}

void
jobs_open(struct jobs *jobs, uint64_t limit, struct attempt_words *attempts)
{
	jobs->limit = limit;
	jobs->attempts = attempts;
	for (uint16_t place = 0; place < COURIER_IN_FLIGHT_MOST; place++) {
		jobs->places[place] = place;
		attempts_set(attempts, place, 0);
	}
	TAILQ_INIT(&jobs->uncommitted);
}

void
jobs_close(struct jobs *jobs)
{
	uint32_t count = jobs->table.count;
	struct id_link **links = id_table_list(&jobs->table);

	assert(jobs->in_flight == 0);
	for (uint32_t i = 0; i < count; i++)
		job_forget(jobs, (struct job *)links[i]);
	free(links);
	id_table_free(&jobs->table);
	heap_free(&jobs->sizes);
	assert(jobs->bytes == 0);
}

struct job *
jobs_find(const struct jobs *jobs, const uint8_t job_id[16])
{
	return (struct job *)id_table_find(&jobs->table, job_id);
}

void
jobs_take(struct jobs *jobs, struct queue *queue, struct event_copy *event, const struct job_facts *facts)
{
	static const uint8_t none[16];
	const struct span tenant_id = {queue->tenant->tenant_id, strlen(queue->tenant->tenant_id)};
	struct job *job = mem_new(1, sizeof *job);

	memcpy(job->link.id, facts->job_id, sizeof job->link.id);
	job->queue = queue;
	job->event = event;
	event->references++;
	job->due = (struct heap_item){.id = job->link.id, .at = facts->due_us};
	job->expires_us = facts->expires_us;
	job->expires_anew = facts->expires_anew;
	job->class = facts->attempt_count == 0 ? JOB_FIRST : JOB_AGAIN;
	job->attempt_count = facts->attempt_count;
	job->attempt_base = facts->attempt_base;
	job->taken = ++jobs->taken;
	if (memcmp(facts->transform_id, none, sizeof none) != 0)
		job->transform = transform_cache_ref(jobs->transforms, tenant_id, facts->transform_id);
	if (facts->lane != NULL) {
		job->fifo_seq = facts->fifo_seq;
		fifo_add(facts->lane, job);
	}
	job_enter(jobs, job);
	make_room(jobs);
}

void
jobs_start(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_WAITING && !job->parked && queue_delivers(job->queue));
	job->is_probe = breaker_begin(&job->queue->breaker);
	queues_write_breaker(jobs->queues, job->queue);
	job_change_state(jobs, job, JOB_IN_FLIGHT);
}

/* Has the job's row read when the job may be taken into memory again. */
static void
go_on_by_row(struct jobs *jobs, struct job *job)
{
	read_schedule_due_job(jobs->schedule, job->queue, job->link.id, job->due.at);
	if (job->disowned && job->lane != NULL)
		read_schedule_all(
		    jobs->schedule, job->queue, jobs->schedule->now_us); /* its followers need not wait for it */
}

/* Decides what becomes of a job after its outcome: wait in memory, wait for the commit, or leave memory. */
static void
go_on(struct jobs *jobs, struct job *job)
{
	bool goes_on = job->due.at != NEVER_US && !queue_keeps_nothing(job->queue);
	bool in_order = job->lane != NULL || !job->queue->fifo.on;

	if (goes_on && in_order && !job->disowned &&
	    (job->kept || job->due.at - jobs->ready->now_us <= READ_AHEAD_US)) {
		job_change_state(jobs, job, JOB_WAITING);
	} else if (job->uncommitted) {
		job_change_state(jobs, job, JOB_REPORTED);
	} else {
		job_unload_followers(jobs, job);
		if (job->lane != NULL)
			job->lane->skipped = true;
		if (goes_on)
			go_on_by_row(jobs, job);
		else if (job->blocks)
			read_schedule_all(jobs->schedule, job->queue, jobs->schedule->now_us + RECHECK_STOPPED_US);
		job_forget(jobs, job);
	}
}

/*
 * Passes the turn to the next job of the order, after this one is delivered or dead. That job's row may have to be
 * read.
 */
static void
pass_turn(struct jobs *jobs, struct job *job)
{
	const struct fifo_lane *lane = job->lane;

	job_leave_lane(jobs, job);
	if (lane->skipped && lane->count <= FIFO_KEY_JOBS / 2)
		read_schedule_all(jobs->schedule, job->queue, jobs->schedule->now_us);
}

void
jobs_reported(struct jobs *jobs, struct job *job, uint32_t position, int64_t due_us)
{
	job_set_committed(jobs, job);
	job->uncommitted = true;
	job->position = position;
	TAILQ_INSERT_TAIL(&jobs->uncommitted, job, in_uncommitted);
	job_dequeue(job);
	job->due.at = due_us;
	job->kept = false;
	go_on(jobs, job);
	if (job->lane != NULL && due_us == NEVER_US && !job->blocks)
		pass_turn(jobs, job);
	else
		job_unload_followers(jobs, job);
}

void
jobs_refused(struct jobs *jobs, const uint8_t job_id[16], uint32_t position)
{
	struct job *job = jobs_find(jobs, job_id);
	int64_t again_us = jobs->ready->now_us + REFUSED_AGAIN_US;

	/* A job that is being attempted again will have another outcome. */
	if (job == NULL || !job->uncommitted || job->position != position || job->state == JOB_IN_FLIGHT)
		return;
	job_dequeue(job);
	if (job->due.at == NEVER_US || job->due.at < again_us)
		job->due.at = again_us;
	job->kept = true;
	if (job->queue->fifo.on && job->lane == NULL) /* its row stays, so it is still the first of its order */
		job_join_lane(jobs, job);
	go_on(jobs, job);
}

void
jobs_cut_off(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_IN_FLIGHT);
	job_forget(jobs, job);
}

void
jobs_committed(struct jobs *jobs, uint32_t released)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&jobs->uncommitted)) != NULL && (int32_t)(released - job->position) >= 0) {
		job_set_committed(jobs, job);
		if (job->disables)
			queues_read_anew(jobs->queues, job->queue);
		job->disables = false;
		if (job->state == JOB_REPORTED)
			go_on(jobs, job);
	}
}

void
jobs_unload(struct jobs *jobs, struct queue *queue)
{
	struct job *next;

	for (struct job *job = TAILQ_FIRST(&queue->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, of_queue);
		if (job->state == JOB_WAITING)
			job_unload(jobs, job);
	}
}

void
jobs_apply_fifo(struct jobs *jobs, struct queue *queue)
{
	const struct endpoint_config *config = queue->config;
	bool on = config != NULL && config->fifo, by_key = on && config->by_key,
	     reading = queue->round == ROUND_READING;
	struct fifo *fifo = &queue->fifo;
	struct job *job;

	if (on != fifo->on || by_key != fifo->by_key) {
		jobs_unload(jobs, queue);
		TAILQ_FOREACH(job, &queue->jobs, of_queue)
		{
			job->lane = NULL;
			job->fifo_seq = 0;
			job->of_former_order = on;
		}
		fifo_clear(fifo);
		fifo_set(fifo, on, by_key, jobs->schedule->now_us);
		fifo->of_former_order = on ? queue->job_count : 0;
		fifo->restart = reading;
		read_schedule_anew(jobs->schedule, queue);
		ready_update(jobs->ready, queue);
	}
	fifo->blocks = on && config->blocks;
}

void
jobs_stop(struct jobs *jobs, struct fifo_lane *lane)
{
	job_unload_lane(jobs, lane);
	lane->skipped = true;
}

void
jobs_unload_most(struct jobs *jobs, struct queue *queue)
{
	while (queue_waiting(queue) > JOBS_OF_BREAKER_MOST)
		job_unload_late(jobs, queue);
}

void
jobs_disown(struct jobs *jobs)
{
	uint32_t count = jobs->table.count;
	struct id_link **links = id_table_list(&jobs->table);

	for (uint32_t i = 0; i < count; i++) {
		struct job *job = (struct job *)links[i];

		job->disowned = true;
		if (job->state == JOB_WAITING)
			job_unload(jobs, job);
	}
	free(links);
}

void
jobs_unpark(struct jobs *jobs, struct shared_transform *transform)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&transform->parked)) != NULL)
		job_change_state(jobs, job, JOB_WAITING);
}
