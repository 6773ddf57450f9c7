/* A courier's turns. */
#include "courier/courier.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "courier/cut_orders.h"
#include "courier/leases.h"
#include "courier/outcome.h"
#include "courier/reconcile.h"
#include "shm/counters.h"

#define SCAN_GAP_US (5 * INT64_C(1000000))
#define OLDEST_DUE_EACH_US (5 * INT64_C(1000000))
#define BEGIN_A_TURN 256u

void
courier_open(struct courier *c, uint64_t limit, int64_t settle_us)
{
	queues_open(&c->queues, c->thread);
	transform_cache_open(&c->transforms, c->thread);
	tests_open(&c->tests, c->http, c->thread);
	ready_open(&c->ready);
	c->ready.shares.settle_us = settle_us;
	cancelled_open(&c->parcels.cancelled);
	c->jobs.queues = &c->queues;
	c->jobs.transforms = &c->transforms;
	c->jobs.ready = &c->ready;
	c->jobs.schedule = &c->schedule;
	jobs_open(&c->jobs, limit, &c->slot->attempts);
	level_set(&c->slot->process, LEVEL_COURIER_LIMIT, limit);
	c->pages.jobs = c->reports.jobs = &c->jobs;
	c->pages.thread = c->thread;
	c->pages.cancelled = &c->parcels.cancelled;
	c->scan_wanted = true;
	c->scanned_us = -SCAN_GAP_US;
}

static void
forget_all(struct heap *heap)
{
	for (uint32_t i = 1; i <= heap->count; i++)
		heap->items[i]->place = 0;
	heap_free(heap);
}

void
courier_close(struct courier *c)
{
	jobs_close(&c->jobs);
	forget_all(&c->schedule.heap);
	forget_all(&c->ready.leases);
	queues_close(&c->queues);
	transform_cache_close(&c->transforms);
	ready_close(&c->ready);
	cancelled_close(&c->parcels.cancelled);
}

uint32_t
courier_in_flight(const struct courier *c)
{
	return c->jobs.in_flight + c->tests.count;
}

void
courier_drain(struct courier *c)
{
	c->draining = true;
}

/* ---- attempts ---- */

void
courier_attempt_done(void *context, void *attempt_context, const struct attempt_result *result)
{
	struct courier *c = context;
	struct job *job = attempt_context;
	struct test *test = tests_find(&c->tests, result->attempt_id);
	bool cut_off = c->draining && result->end == ATTEMPT_INTERNAL;

	/* An attempt cut off by our shutdown does not count: the row stays as it is. */
	if (test != NULL && cut_off)
		tests_cut_off(&c->tests, test);
	else if (test != NULL)
		tests_end(&c->tests, test, result);
	else if (cut_off)
		jobs_cut_off(&c->jobs, job);
	else
		reports_attempt(&c->reports, job, result);
}

static void
begin(struct courier *c, struct job *job)
{
	struct attempt_spec spec = {
	    .event = job->event->record,
	    .transform = job->transform == NULL ? NULL : job->transform->transform,
	    .number = job->attempt_count + 1,
	    .context = job,
	};
	int64_t waited_us = clock_wall_us() - job->event->record->received_us;

	if (job->attempt_count == 0)
		histogram_add(&c->slot->process, HISTOGRAM_DELIVERY, waited_us > 0 ? (uint64_t)waited_us : 0);
	memcpy(spec.job_id, job->link.id, sizeof spec.job_id);
	jobs_start(&c->jobs, job);
	spec.endpoint = job->config;
	http_begin(c->http, &spec);
}

static void
begin_or_end(struct courier *c, struct job *job)
{
	if (job->event->record == NULL || c->ready.now_us >= job->expires_us)
		reports_dead(&c->reports, job, "expired");
	else if (job->transform != NULL && job->transform->state == TRANSFORM_UNREADABLE) {
		counter_add(&c->slot->process, COUNTER_ATTEMPTS_TRANSFORM, 1);
		reports_dead(&c->reports, job, "transform_error");
	} else
		begin(c, job);
}

/* Whether the jobs in memory are still this node's. */
static bool
is_ours(const struct courier *c)
{
	int64_t until_us = node_attempts_until_us(c->node);
	struct node_row row;

	return c->started && node_read(c->node, &row) && row.epoch == c->epoch &&
	       (until_us == INT64_MAX || clock_boot_us() < until_us);
}

/* When to end attempts of jobs that keep an order. */
static int64_t
cut_due_us(const struct courier *c, int64_t now_us)
{
	int64_t until_us = node_attempts_until_us(c->node), boot_us = clock_boot_us();

	return c->jobs.in_flight == 0 || until_us == INT64_MAX || until_us <= boot_us ? NEVER_US
										      : now_us + until_us - boot_us;
}

static void
begin_attempts(struct courier *c)
{
	if (!is_ours(c) || c->draining)
		return;
	for (uint32_t n = 0; c->jobs.in_flight < COURIER_IN_FLIGHT_MOST && reports_have_room(&c->reports); n++) {
		struct queue *queue = ready_next(&c->ready);

		if (queue == NULL)
			return;
		if (n == BEGIN_A_TURN) {
			c->more = true;
			return;
		}
		begin_or_end(c, HEAP_ENTRY(ready_job(&c->ready, queue), struct job, due));
	}
}

/* ---- messages from the store thread ---- */

static struct span
tenant_of(const struct message *message)
{
	return (struct span){message->tenant_id, strlen(message->tenant_id)};
}

/*
 * A change may have added rows for the endpoint, or removed some, so its rows are read from the start. An open breaker
 * with waiting jobs would prevent that, and so would a long pause that the receiver asked for: both are overridden. One
 * page shows whether the rows are marked correctly.
 */
static void
rows_changed(struct courier *c, struct queue *queue, int64_t now_us)
{
	if (queue->breaker.state != BREAKER_CLOSED || queue->held_until_us - now_us > READ_AHEAD_US) {
		jobs_unload(&c->jobs, queue);
		read_schedule_anew(&c->schedule, queue);
	} else if (queue->fifo.on) {
		read_schedule_from_start(&c->schedule, queue); /* a row may stand before those already read */
	} else {
		read_schedule_all(&c->schedule, queue, now_us);
	}
}

static void
take_has_rows(struct courier *c, const struct message *message, int64_t now_us)
{
	struct queue *queue = queues_get(&c->queues, tenant_of(message), message->id, now_us);

	if (message->by_scan)
		queue->fifo.unplaced = true;
	rows_changed(c, queue, now_us);
}

/* MESSAGE_HAS_PLACE: a row that any node may have stored. */
static void
take_has_place(struct courier *c, const struct message *message, int64_t now_us)
{
	struct queue *queue = queues_get(&c->queues, tenant_of(message), message->id, now_us);

	if (queue->state != ENDPOINT_LOADED)
		read_schedule_all(&c->schedule, queue, now_us);
	else if (queue->fifo.on && fifo_note_newest(&queue->fifo, message->seq) && !fifo_is_stuck(&queue->fifo))
		read_schedule_new_rows(&c->schedule, queue, now_us);
}

static void
take_endpoint(struct courier *c, struct message *message, int64_t now_us)
{
	bool delivers = message->config != NULL && !endpoint_holds(message->config);
	const struct queue *known = queues_find(&c->queues, tenant_of(message), message->id);
	enum limits_rule before = known != NULL ? ready_rule(&c->ready, known) : LIMITS_DIVIDED;
	struct queue *queue = queues_loaded(&c->queues, message, now_us);

	if (queue == NULL) {
		if (delivers)
			read_schedule_all(
			    &c->schedule, queues_get(&c->queues, tenant_of(message), message->id, now_us), now_us);
		return;
	}
	if (queue->state == ENDPOINT_LOADED)
		ready_empty_rate(&c->ready, queue, c->queues.opened_us);
	ready_rule_changed(&c->ready, queue, before, message->version);
	jobs_apply_fifo(&c->jobs, queue);
	if (queue_keeps_nothing(queue))
		jobs_unload(&c->jobs, queue);
	else
		rows_changed(c, queue, now_us);
	read_schedule_update(&c->schedule, queue);
	ready_update(&c->ready, queue);
	queues_note_use(&c->queues, queue, now_us);
}

/* Leaves the jobs of paused tenants in their rows. A scan finds the jobs of tenants whose pause has ended. */
static void
take_pauses(struct courier *c, struct message *message, int64_t now_us)
{
	uint32_t count = c->queues.table.count;
	struct id_link **links = id_table_list(&c->queues.table);

	queues_pause(&c->queues, message, now_us);
	for (uint32_t i = 0; i < count; i++) {
		struct queue *queue = (struct queue *)links[i];

		if (queue->tenant->paused)
			jobs_unload(&c->jobs, queue);
		read_schedule_update(&c->schedule, queue);
		ready_update(&c->ready, queue);
		queues_note_use(&c->queues, queue, now_us);
	}
	free(links);
	c->scan_wanted = c->scan_again = true;
	c->scanned_us = now_us - SCAN_GAP_US;
}

static void
follow_shares(struct courier *c, int64_t now_us)
{
	struct id_link **links;

	if (!shares_advance(&c->ready.shares, now_us))
		return;
	links = id_table_list(&c->queues.table);
	for (uint32_t i = 0; i < c->queues.table.count; i++)
		ready_update(&c->ready, (struct queue *)links[i]);
	free(links);
}

static void
take_transform(struct courier *c, struct message *message)
{
	struct shared_transform *transform = transform_cache_loaded(&c->transforms, message);

	if (transform != NULL)
		jobs_unpark(&c->jobs, transform);
}

static void
take_message(struct courier *c, struct message *message, int64_t now_us)
{
	switch (message->kind) {
	case MESSAGE_STARTED:
		c->started = true;
		c->epoch = message->epoch;
		c->parcels.since_us = node_since_us(c->node);
		return;
	case MESSAGE_COMMITTED:
		jobs_committed(&c->jobs, message->released);
		return;
	case MESSAGE_ENDPOINT:
		take_endpoint(c, message, now_us);
		return;
	case MESSAGE_TRANSFORM:
		take_transform(c, message);
		return;
	case MESSAGE_PAGE:
		pages_take(&c->pages, message, now_us);
		return;
	case MESSAGE_HAS_ROWS:
		take_has_rows(c, message, now_us);
		return;
	case MESSAGE_HAS_PLACE:
		take_has_place(c, message, now_us);
		return;
	case MESSAGE_CANCELLED:
		jobs_cancel(&c->jobs, message->tenant_id, message->id);
		/* A parcel with this job may still be on a lane, or come later. */
		cancelled_add(&c->parcels.cancelled, message->tenant_id, message->id, now_us);
		return;
	case MESSAGE_TEST:
		if (!c->draining)
			tests_begin(&c->tests, message);
		return;
	case MESSAGE_SCANNED:
		c->scanning = false;
		return;
	case MESSAGE_PAUSED:
		take_pauses(c, message, now_us);
		return;
	case MESSAGE_LEASE:
		leases_take_answer(&c->ready, &c->queues, message);
		return;
	case MESSAGE_NODES:
		shares_change(&c->ready.shares, &message->view, now_us);
		return;
	case MESSAGE_SEEN:
		shares_seen(&c->ready.shares, message->version);
		return;
	case MESSAGE_CHANGED:
		courier_set_seen_version(c->slot, message->version);
		return;
	case MESSAGE_NODE_LOST:
		jobs_disown(&c->jobs);
		leases_void(&c->ready, &c->queues);
		c->started = false;
		c->scan_wanted = true;
		return;
	case MESSAGE_REFUSED:
		jobs_refused(&c->jobs, message->id, message->position);
		return;
	}
}

static void
take_messages(struct courier *c, int64_t now_us)
{
	struct message *message;

	while ((message = store_thread_take_message(c->thread)) != NULL) {
		take_message(c, message, now_us);
		message_free(message);
	}
}

/* ---- turns ---- */

/* Finds rows of endpoints that this courier does not know. */
static void
scan_if_due(struct courier *c, int64_t now_us)
{
	uint32_t missed = courier_missed(c->slot);

	if (missed != c->missed || c->parcels.damaged)
		c->scan_wanted = true;
	if (!c->started || !c->scan_wanted || c->scanning || now_us - c->scanned_us < SCAN_GAP_US)
		return;
	c->missed = missed;
	c->scan_wanted = c->scan_again;
	c->scan_again = c->parcels.damaged = false;
	c->scanning = true;
	c->scanned_us = now_us;
	store_thread_scan(c->thread);
}

static void
wake_store_thread(struct courier *c)
{
	int64_t version = node_changes_version(c->node);

	bool changed = version != c->woken_version;

	if (!c->reports.any && !changed)
		return;
	c->reports.any = false;
	c->woken_version = version;
	store_thread_wake(c->thread, changed || lane_depth(&c->reports.lane) >= OUTCOMES_SOON);
}

bool
courier_has_work(const struct courier *c)
{
	return !c->draining &&
	       ((c->started && parcels_wait(&c->parcels)) || node_changes_version(c->node) != c->woken_version ||
		   (courier_missed(c->slot) != c->missed && !c->scan_wanted));
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Since when a job of the endpoint is overdue; NEVER_US: none is, or the receiver has asked for the wait. */
static int64_t
late_since_us(const struct queue *queue, int64_t now_us)
{
	int64_t since_us = NEVER_US;

	if (!queue_delivers(queue) || queue->breaker.state != BREAKER_CLOSED)
		return NEVER_US;
	for (int class = 0; class < JOB_CLASSES; class ++) {
		const struct heap_item *first = heap_first(&queue->waiting[class]);

		if (first != NULL)
			since_us = earlier(since_us, first->at);
	}
	if (since_us < queue->held_until_us)
		since_us = queue->held_until_us;
	return since_us <= now_us ? since_us : NEVER_US;
}

/* Publishes now and then how long jobs have been overdue, over all endpoints. Returns when to do it again. */
static int64_t
publish_oldest_due(struct courier *c, int64_t now_us)
{
	struct id_link **links;
	int64_t since_us = NEVER_US;

	if (now_us >= c->oldest_due_at_us) {
		links = id_table_list(&c->queues.table);
		for (uint32_t i = 0; i < c->queues.table.count; i++)
			since_us = earlier(since_us, late_since_us((const struct queue *)links[i], now_us));
		free(links);
		courier_set_oldest_due_us(c->slot, since_us != NEVER_US ? since_us : 0);
		c->oldest_due_at_us = now_us + OLDEST_DUE_EACH_US;
	}
	return c->jobs.table.count > 0 || courier_oldest_due_us(c->slot) != 0 ? c->oldest_due_at_us : NEVER_US;
}

int64_t
courier_turn(struct courier *c)
{
	int64_t now_us = clock_steady_us(), next_us, late_us;
	uint32_t in_flight;

	c->more = false;
	c->schedule.now_us = now_us;
	ready_advance(&c->ready, now_us);
	cancelled_forget(&c->parcels.cancelled, now_us);
	/* Parcels before pages: most of a page's youngest rows are then already in memory. */
	if (c->started && !c->draining)
		(void)parcels_take(&c->parcels, &c->jobs, now_us, clock_boot_us());
	take_messages(c, now_us);
	follow_shares(c, now_us);
	if (!c->draining)
		leases_update(&c->ready, &c->queues);
	begin_attempts(c);
	if (!c->draining && c->jobs.in_flight > 0 && !is_ours(c))
		cut_orders(c->http, &c->queues);
	in_flight = c->jobs.in_flight;
	http_run(c->http);
	/* Slots became free after the waiting endpoints were served: take another turn. */
	if (c->jobs.in_flight < in_flight && ready_has_some(&c->ready))
		c->more = true;
	if (!c->draining) {
		scan_if_due(c, now_us);
		pages_ask(&c->pages, now_us);
		queues_forget_unused(&c->queues, now_us);
	}
	wake_store_thread(c);
	level_set(&c->slot->process, LEVEL_COURIER_IN_FLIGHT, c->jobs.in_flight);
	level_set(&c->slot->process, LEVEL_COURIER_JOBS, c->jobs.table.count);
	level_set(&c->slot->process, LEVEL_COURIER_BYTES, c->jobs.bytes + c->transforms.bytes);
	level_set(&c->slot->process, LEVEL_BREAKERS_OPEN,
	    c->queues.breakers[BREAKER_OPEN] + c->queues.breakers[BREAKER_HALF_OPEN]);
	level_set(&c->slot->process, LEVEL_BREAKERS_HALF_OPEN, c->queues.breakers[BREAKER_HALF_OPEN]);
	late_us = publish_oldest_due(c, now_us);
	if (c->draining)
		return http_due_us(c->http);
	if (c->more)
		return now_us;
	next_us = earlier(earlier(ready_due_us(&c->ready), http_due_us(c->http)), late_us);
	next_us = earlier(next_us, earlier(shares_due_us(&c->ready.shares), cut_due_us(c, now_us)));
	if (c->pages.reading < PAGES_AT_ONCE)
		next_us = earlier(next_us, read_schedule_next_us(&c->schedule));
	if (c->scan_wanted && !c->scanning && c->started)
		next_us = earlier(next_us, c->scanned_us + SCAN_GAP_US);
	return next_us;
}
