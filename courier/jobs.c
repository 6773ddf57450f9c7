/* Jobs in memory. */
#include "courier/jobs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sizes.h"

#define ENDPOINT_BYTES_MAX (4 * MIB)
#define REFUSED_AGAIN_US (10 * 60 * INT64_C(1000000))
#define EARLIER_US (1000 * INT64_C(1000)) /* a row's instant and that in memory differ by less, of the same outcome */
/* Of an endpoint whose breaker is open: a page of rows. */
#define BREAKER_JOBS_MOST PAGE_ROWS

/* ---- events ---- */

struct event_copy *
event_copy_new(struct jobs *jobs, const uint8_t event_id[16], const struct record *record)
{
	uint64_t bytes = sizeof(struct event_copy) + (record == NULL ? 0 : record->length);
	struct event_copy *copy = mem_new(1, bytes);

	*copy = (struct event_copy){.references = 1, .bytes = bytes};
	memcpy(copy->event_id, event_id, sizeof copy->event_id);
	if (record != NULL)
		copy->record = memcpy(copy + 1, record, record->length);
	jobs->bytes += bytes;
	return copy;
}

void
event_copy_give(struct jobs *jobs, struct event_copy *event)
{
	assert(event->references > 0);
	if (--event->references > 0)
		return;
	jobs->bytes -= event->bytes;
	free(event);
}

/* ---- room ---- */

static uint64_t
used(const struct jobs *jobs)
{
	return jobs->bytes + jobs->transforms->bytes;
}

/* The most that one endpoint may have: a fair part when memory is scarce. */
static uint64_t
share(const struct jobs *jobs)
{
	uint64_t fair = jobs->limit / (jobs->busy + 1), most = jobs->limit / 4;

	if (most > ENDPOINT_BYTES_MAX)
		most = ENDPOINT_BYTES_MAX;
	return used(jobs) < jobs->limit / 2 || fair > most ? most : fair;
}

bool
jobs_has_room(const struct jobs *jobs, const struct queue *queue, uint64_t bytes)
{
	/* So every endpoint goes on however full memory is; the quarter more is for endpoints with a single job. */
	if (queue->job_count == 0)
		return used(jobs) < jobs->limit + jobs->limit / 4;
	if (queue->breaker.state != BREAKER_CLOSED && queue->job_count >= BREAKER_JOBS_MOST)
		return false;
	bytes += sizeof(struct job);
	return queue->bytes + bytes <= share(jobs) && used(jobs) + bytes <= jobs->limit;
}

uint64_t
jobs_room(const struct jobs *jobs, const struct queue *queue)
{
	uint64_t most = share(jobs), taken = used(jobs);
	uint64_t of_queue = queue->bytes < most ? most - queue->bytes : 0;
	uint64_t of_all = taken < jobs->limit ? jobs->limit - taken : 0;

	return of_queue < of_all ? of_queue : of_all;
}

static uint64_t
bytes_of(const struct job *job)
{
	return sizeof *job + job->event->bytes;
}

/* An endpoint that can give way stands in the heap: it would lose one of its jobs that wait, and not its last one. */
static void
update_size(struct jobs *jobs, struct queue *queue)
{
	if (queue->job_count > 1 && queue_waiting(queue) > 0)
		heap_put(&jobs->sizes, &queue->size, -(int64_t)queue->waiting_bytes);
	else
		heap_remove(&jobs->sizes, &queue->size);
}

/* The endpoint has a job more, or less. */
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
		queues_kept(jobs->queues, queue, jobs->ready->now_us);
	/* A round that waits for room goes on when half of the share is free. */
	if (!more && queue->round == ROUND_OPEN && queue->next_us > jobs->look->now_us &&
	    jobs_room(jobs, queue) >= share(jobs) / 2)
		look_pause_round(jobs->look, queue, jobs->look->now_us);
}

/* ---- states ---- */

/* Into the queue of its endpoint, and out of it, if it is there. */
static void
enqueue(struct job *job)
{
	heap_put(&job->queue->waiting[job->class], &job->due, job->due.at);
	job->queue->waiting_bytes += bytes_of(job);
}

static void
dequeue(struct job *job)
{
	if (job->due.place == 0)
		return;
	heap_remove(&job->queue->waiting[job->class], &job->due);
	job->queue->waiting_bytes -= bytes_of(job);
}

/* The one function that changes a job's state. */
static void
change_state(struct jobs *jobs, struct job *job, enum job_state state)
{
	struct queue *queue = job->queue;

	if (job->state == JOB_IN_FLIGHT) {
		ready_end(jobs->ready, queue, job->begun_class);
		jobs->places[--jobs->in_flight] = job->place;
		attempts_set(jobs->attempts, job->place, 0);
		endpoint_config_give(job->config);
		job->config = NULL;
	} else if (job->parked) {
		TAILQ_REMOVE(&job->transform->parked, job, in_parked);
		job->parked = false;
	} else {
		dequeue(job);
	}
	job->state = state;
	if (state == JOB_IN_FLIGHT) {
		assert(jobs->in_flight < COURIER_IN_FLIGHT_MOST);
		ready_begin(jobs->ready, queue, job->class);
		job->begun_class = job->class;
		job->class = JOB_AGAIN;
		job->place = jobs->places[jobs->in_flight++];
		attempts_set(jobs->attempts, job->place, queue->tenant->hash);
		job->config = endpoint_config_take(queue->config);
	} else if (state == JOB_WAITING && job->transform != NULL && job->transform->state == TRANSFORM_LOADING) {
		TAILQ_INSERT_TAIL(&job->transform->parked, job, in_parked);
		job->parked = true;
	} else if (state == JOB_WAITING) {
		enqueue(job);
	}
	update_size(jobs, queue);
	if (queue->breaker.state != BREAKER_CLOSED)
		look_update(jobs->look, queue);
	ready_update(jobs->ready, queue);
}

static void
set_committed(struct jobs *jobs, struct job *job)
{
	if (!job->uncommitted)
		return;
	TAILQ_REMOVE(&jobs->uncommitted, job, in_uncommitted);
	job->uncommitted = false;
}

static void
forget(struct jobs *jobs, struct job *job)
{
	set_committed(jobs, job);
	change_state(jobs, job, JOB_NONE);
	id_table_remove(&jobs->table, &job->link);
	transform_cache_give(jobs->transforms, job->transform);
	account(jobs, job, false);
	event_copy_give(jobs, job->event);
	free(job);
}

/* A job that waits is left in its row. One whose outcome is not committed waits for that: its row is an older one. */
static void
leave(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_WAITING);
	if (job->uncommitted) {
		change_state(jobs, job, JOB_REPORTED);
		return;
	}
	look_leave_due(jobs->look, job->queue, job->due.at);
	forget(jobs, job);
}

/* One of the endpoint's jobs that are due late; not its first one if it has others that wait. */
static struct job *
late_job(const struct queue *queue)
{
	struct heap_item *first = heap_late(&queue->waiting[JOB_FIRST]), *again = heap_late(&queue->waiting[JOB_AGAIN]);

	return HEAP_THING(first == NULL || (again != NULL && again->at > first->at) ? again : first, struct job, due);
}

/* While memory is full, the endpoint that has the most of it loses jobs that wait. */
static void
make_room(struct jobs *jobs)
{
	struct heap_item *most;

	while (used(jobs) > jobs->limit && (most = heap_first(&jobs->sizes)) != NULL)
		leave(jobs, late_job(HEAP_THING(most, struct queue, size)));
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
		forget(jobs, (struct job *)links[i]);
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
		job->transform = transform_cache_take(jobs->transforms, tenant_id, facts->transform_id);
	id_table_add(&jobs->table, &job->link);
	account(jobs, job, true);
	change_state(jobs, job, JOB_WAITING);
	make_room(jobs);
}

void
jobs_start(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_WAITING && !job->parked && queue_delivers(job->queue));
	job->is_probe = breaker_begin(&job->queue->breaker);
	queues_tell_breaker(jobs->queues, job->queue);
	change_state(jobs, job, JOB_IN_FLIGHT);
}

/* A job whose outcome is committed, or that is due soon: what is to be done with it next. */
static void
go_on(struct jobs *jobs, struct job *job)
{
	bool goes_on = job->due.at != NEVER_US && !queue_keeps_nothing(job->queue);

	if (goes_on && !job->lost && (job->kept || job->due.at - jobs->ready->now_us <= LOOK_AHEAD_US)) {
		change_state(jobs, job, JOB_WAITING);
	} else if (job->uncommitted) {
		change_state(jobs, job, JOB_REPORTED);
	} else {
		if (goes_on)
			look_leave_due(jobs->look, job->queue, job->due.at);
		forget(jobs, job);
	}
}

void
jobs_reported(struct jobs *jobs, struct job *job, uint32_t position, int64_t due_us)
{
	set_committed(jobs, job);
	job->uncommitted = true;
	job->position = position;
	TAILQ_INSERT_TAIL(&jobs->uncommitted, job, in_uncommitted);
	dequeue(job);
	job->due.at = due_us;
	job->kept = false;
	go_on(jobs, job);
}

void
jobs_refused(struct jobs *jobs, const uint8_t job_id[16], uint32_t position)
{
	struct job *job = jobs_find(jobs, job_id);
	int64_t again_us = jobs->ready->now_us + REFUSED_AGAIN_US;

	/* A job that is attempted again by now will have another outcome. */
	if (job == NULL || !job->uncommitted || job->position != position || job->state == JOB_IN_FLIGHT)
		return;
	dequeue(job);
	if (job->due.at == NEVER_US || job->due.at < again_us)
		job->due.at = again_us;
	job->kept = true;
	go_on(jobs, job);
}

void
jobs_cut_off(struct jobs *jobs, struct job *job)
{
	assert(job->state == JOB_IN_FLIGHT);
	forget(jobs, job);
}

void
jobs_committed(struct jobs *jobs, uint32_t released)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&jobs->uncommitted)) != NULL && (int32_t)(released - job->position) >= 0) {
		set_committed(jobs, job);
		if (job->disables)
			queues_read_anew(jobs->queues, job->queue);
		job->disables = false;
		if (job->state == JOB_REPORTED)
			go_on(jobs, job);
	}
}

void
jobs_leave(struct jobs *jobs, struct queue *queue)
{
	struct job *next;

	for (struct job *job = TAILQ_FIRST(&queue->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, of_queue);
		if (job->state == JOB_WAITING)
			leave(jobs, job);
	}
}

/* ---- pages ---- */

void
jobs_page_begins(struct jobs *jobs)
{
	jobs->pages++;
}

/* The row of a job whose outcome is not committed, or was refused, is an older one. */
void
jobs_page_has(struct jobs *jobs, const struct queue *queue, const uint8_t job_id[16], int64_t due_us)
{
	struct job *job = jobs_find(jobs, job_id);

	if (job == NULL || job->queue != queue)
		return;
	job->page = jobs->pages;
	if (job->state != JOB_WAITING || job->uncommitted || job->kept || job->due.at <= jobs->ready->now_us ||
	    due_us + EARLIER_US > job->due.at)
		return;
	job->due.at = due_us;
	change_state(jobs, job, JOB_WAITING);
}

static bool
stands_behind(const struct job *job, const uint8_t *id)
{
	return memcmp(job->link.id, id, sizeof job->link.id) > 0;
}

/* Its row is gone. */
static void
lose(struct jobs *jobs, struct job *job)
{
	if (job->state == JOB_WAITING)
		forget(jobs, job);
	else
		job->lost = true;
}

void
jobs_page_ends(struct jobs *jobs, struct queue *queue, const uint8_t after[16], const uint8_t *last)
{
	struct job *next;

	for (struct job *job = TAILQ_FIRST(&queue->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, of_queue);
		if (job->page == jobs->pages || job->taken > queue->taken || !stands_behind(job, after) ||
		    (last != NULL && stands_behind(job, last)))
			continue;
		lose(jobs, job);
	}
}

void
jobs_cancel(struct jobs *jobs, const char *tenant_id, const uint8_t job_id[16])
{
	struct job *job = jobs_find(jobs, job_id);

	if (job != NULL && strcmp(job->queue->tenant->tenant_id, tenant_id) == 0)
		lose(jobs, job);
}

void
jobs_leave_most(struct jobs *jobs, struct queue *queue)
{
	while (queue_waiting(queue) > BREAKER_JOBS_MOST)
		leave(jobs, late_job(queue));
}

void
jobs_lose(struct jobs *jobs)
{
	uint32_t count = jobs->table.count;
	struct id_link **links = id_table_list(&jobs->table);

	for (uint32_t i = 0; i < count; i++) {
		struct job *job = (struct job *)links[i];

		job->lost = true;
		if (job->state == JOB_WAITING)
			leave(jobs, job);
	}
	free(links);
}

void
jobs_unpark(struct jobs *jobs, struct shared_transform *transform)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&transform->parked)) != NULL)
		change_state(jobs, job, JOB_WAITING);
}
