/* Takes pages: first updates the jobs in memory by their rows, then adds jobs that only rows have. */
#include "courier/pages.h"

#include <assert.h>
#include <string.h>

#include "base/format.h"
#include "base/log.h"
#include "courier/endpoint_config.h"
#include "courier/job_room.h"
#include "courier/queues.h"
#include "courier/reconcile.h"

#define RETRY_ROOM_US (1000 * INT64_C(1000)) /* a round without room resumes at the latest after this */
#define UNREADABLE_AGAIN_US (60 * INT64_C(1000000)) /* try unreadable rows again */
#define EVENT_BYTES_MOST (1024 * INT64_C(1024)) /* of one page */

/* What became of a row. FULL: no room for it, nor for those behind it. STUCK: no row behind it can be taken. */
enum row_result { ROW_PASSED, ROW_FULL, ROW_STUCK };

static void
ask(struct pages *pages, struct queue *queue)
{
	struct endpoint_name name = {.tenant_id = queue->tenant->tenant_id};
	uint64_t room = jobs_room(pages->jobs, queue);
	bool first = queue->cursor_seq == FIFO_BEFORE_ALL;
	struct page_query query = {
	    .event_bytes = room < EVENT_BYTES_MOST ? room : EVENT_BYTES_MOST,
	    .resumed_us = queue_resumed_us(queue),
	    .fifo = queue->fifo.on,
	    .after_seq = queue->cursor_seq,
	    .new_only = queue->fifo.on && !first && queue->pages == 1,
	    .places = queue->fifo.on && first && queue->fifo.unplaced,
	    .blocks = queue->fifo.blocks && first,
	};

	memcpy(query.after, queue->cursor, sizeof query.after);
	memcpy(name.endpoint_id, queue->link.id, sizeof name.endpoint_id);
	if (query.places) {
		queue->fifo.placing = true;
		queue->fifo.unplaced = false;
	}
	queue->taken = pages->jobs->taken;
	store_thread_read_page(pages->thread, &name, &query);
	pages->reading++;
}

void
pages_ask(struct pages *pages, int64_t now_us)
{
	struct read_schedule *schedule = pages->jobs->schedule;
	struct queue *queue;

	while (pages->reading < PAGES_AT_ONCE && (queue = read_schedule_next(schedule, now_us)) != NULL) {
		if (queue->state == ENDPOINT_UNLOADED) {
			queues_load(pages->jobs->queues, queue);
			read_schedule_update(schedule, queue);
			queues_note_use(pages->jobs->queues, queue, now_us);
			continue;
		}
		if (read_schedule_is_for_marks(queue)) {
			read_schedule_marked(schedule, queue);
			queues_read_anew(pages->jobs->queues, queue);
			continue;
		}
		if (queue->round == ROUND_NONE)
			read_schedule_begin_round(schedule, queue);
		else
			read_schedule_page_asked(schedule, queue);
		queues_note_use(pages->jobs->queues, queue, now_us);
		ask(pages, queue);
	}
}

/* Leaves a row, and with it all rows behind it in its order. */
static enum row_result
leave_row(struct queue *queue, struct fifo_lane *lane)
{
	if (lane != NULL)
		lane->skipped = true;
	return queue->fifo.on && fifo_is_stuck(&queue->fifo) ? ROW_STUCK : ROW_PASSED;
}

static enum row_result
take_row(struct jobs *jobs, struct queue *queue, const struct page_row *row, int64_t now_us)
{
	struct job_facts facts = {.due_us = row->due_us,
	    .expires_us = row->expires_us,
	    .attempt_count = row->attempt_count,
	    .attempt_base = row->attempt_base,
	    .fifo_seq = row->fifo_seq};
	bool lacks_event = row->event == NULL && !row->event_gone;
	struct event_copy *copy;

	if (jobs_find(jobs, row->job_id) != NULL)
		return ROW_PASSED;
	if (row->awaits_parcel) {
		read_schedule_job(jobs->schedule, queue, row->job_id, row->due_us + PARCEL_WAIT_US);
		return ROW_PASSED;
	}
	if (queue->fifo.on) {
		if (lacks_event)
			return ROW_FULL;
		facts.lane = fifo_lane(&queue->fifo, row->event);
		if (facts.lane == NULL) {
			read_schedule_all(jobs->schedule, queue, now_us + RECHECK_STOPPED_US);
			return ROW_STUCK;
		}
		/* A key with a left row costs a round over all rows. */
		if (facts.lane->skipped ||
		    !fifo_takes(&queue->fifo, facts.lane, jobs_half_is_free(jobs, queue), now_us))
			return leave_row(queue, facts.lane);
	}
	if (row->due_us - now_us > READ_AHEAD_US) {
		read_schedule_due_job(jobs->schedule, queue, row->job_id, row->due_us);
		return leave_row(queue, facts.lane);
	}
	if (lacks_event || !jobs_has_room(jobs, queue, row->event_gone ? 0 : row->event->length))
		return ROW_FULL;
	/* The row was held, so its lifetime begins now. */
	if (row->expires_us == INT64_MIN) {
		facts.expires_anew = true;
		facts.expires_us = now_us + endpoint_lifetime_ms(queue->config) * 1000;
	}
	memcpy(facts.job_id, row->job_id, sizeof facts.job_id);
	memcpy(facts.transform_id, row->transform_id, sizeof facts.transform_id);
	copy = event_copy_new(jobs, row->event_id, row->event_gone ? NULL : row->event);
	jobs_take(jobs, queue, copy, &facts);
	event_copy_unref(jobs, copy);
	return ROW_PASSED;
}

/* Updates the jobs in memory by the page's rows. */
static void
reconcile(struct jobs *jobs, struct queue *queue, const struct message *page)
{
	uint32_t count = page->row_count;
	const struct page_row *end = page->last ? NULL : &page->rows[count - 1];
	const struct job_place after = {page->fifo ? queue->cursor_seq : 0, queue->cursor};

	assert(page->last || count > 0);
	reconcile_begin(jobs);
	for (uint32_t i = 0; i < count; i++)
		reconcile_row(jobs, queue, page->rows[i].job_id, page->rows[i].due_us);
	reconcile_end(jobs, queue, &after, end == NULL ? NULL : &(struct job_place){end->fifo_seq, end->job_id});
}

/* Stops the orders that have a dead letter: none of their jobs is begun. */
static void
stop(struct jobs *jobs, struct queue *queue, const struct message *page, int64_t now_us)
{
	const char *key = page->stopped;

	for (uint32_t i = 0; i < page->stopped_count; i++, key += strlen(key) + 1)
		jobs_stop(jobs, fifo_of_key(&queue->fifo, (struct span){key, strlen(key)}));
	if (page->stopped_count > 0)
		read_schedule_all(jobs->schedule, queue, now_us + RECHECK_STOPPED_US);
}

/* Ends the round, whose page brought nothing. The next round begins at at_us at the latest. */
static void
look_again(struct jobs *jobs, struct queue *queue, int64_t at_us, int64_t now_us)
{
	if (at_us != NEVER_US)
		read_schedule_all(jobs->schedule, queue, at_us);
	read_schedule_end_round(jobs->schedule, queue);
	queues_note_use(jobs->queues, queue, now_us);
}

/* Reads all rows again: new rows may stand before those read last. */
static void
read_anew(struct pages *pages, struct queue *queue, int64_t now_us)
{
	uint64_t times = repeat_met(&pages->places_lowered, now_us);
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(queue->link.id, id);
	if (times > 0)
		log_warning("somebody has edited the places of an order: all its jobs are read again",
		    LOG_STR("endpoint_id", id), LOG_UINT("times", times));
	queue->fifo.seen = 0;
	look_again(pages->jobs, queue, now_us, now_us);
}

/* Asks for places once more: publishers that did not know of fifo may have committed since. */
static void
place_again(struct jobs *jobs, struct queue *queue, int64_t now_us)
{
	if (now_us >= queue->fifo.place_until_us)
		return;
	queue->fifo.unplaced = true;
	read_schedule_all(jobs->schedule, queue, queue->fifo.place_until_us);
}

/* Takes rows until there is no room. Returns what became of the last row. *passed: the number of rows before it. */
static enum row_result
take_rows(struct pages *pages, struct queue *queue, const struct message *page, uint32_t *passed, int64_t now_us)
{
	for (*passed = 0; *passed < page->row_count; ++*passed) {
		uint32_t i = *passed;
		enum row_result result = take_row(pages->jobs, queue, &page->rows[i], now_us);

		if (page->fifo && page->rows[i].fifo_seq > queue->fifo.seen)
			queue->fifo.seen = page->rows[i].fifo_seq;
		if (result != ROW_PASSED)
			return result;
		if (page->rows[i].overtakes_parcel)
			cancelled_add(pages->cancelled, page->tenant_id, page->rows[i].job_id, now_us);
		memcpy(queue->cursor, page->rows[i].job_id, sizeof queue->cursor);
		queue->cursor_seq = page->fifo ? page->rows[i].fifo_seq : FIFO_BEFORE_ALL;
	}
	return ROW_PASSED;
}

/* When the round goes on: when there is room; at once if only the page was full. */
static int64_t
goes_on_us(const struct message *page, uint32_t passed, int64_t now_us)
{
	const struct page_row *row = &page->rows[passed];

	return page->fifo && passed > 0 && row->event == NULL && !row->event_gone ? now_us : now_us + RETRY_ROOM_US;
}

void
pages_take(struct pages *pages, const struct message *message, int64_t now_us)
{
	const struct span tenant_id = {message->tenant_id, strlen(message->tenant_id)};
	struct jobs *jobs = pages->jobs;
	struct queue *queue = queues_find(jobs->queues, tenant_id, message->id);
	enum row_result result;
	uint32_t passed;

	assert(pages->reading > 0 && queue != NULL && queue->round == ROUND_READING);
	pages->reading--;
	queue->pages_took_us += message->took_us;
	if (queue->fifo.placing && !message->placed)
		queue->fifo.unplaced = true;
	queue->fifo.placing = false;
	/* The endpoint's order has changed since the page was asked for. */
	if (message->fifo != queue->fifo.on || queue->fifo.restart) {
		look_again(jobs, queue, now_us, now_us);
		return;
	}
	/* A change of the sender makes the couriers of this node look for rows. */
	if (message->other_sender) {
		jobs_unload(jobs, queue);
		look_again(jobs, queue, NEVER_US, now_us);
		return;
	}
	if (message->places_lowered) {
		read_anew(pages, queue, now_us);
		return;
	}
	if (!message->unreadable)
		reconcile(jobs, queue, message);
	if (queue->state != ENDPOINT_LOADED || queue_keeps_nothing(queue)) {
		look_again(jobs, queue, NEVER_US, now_us);
		return;
	}
	/* The receiver has asked for a pause since the page was asked for. */
	if (message->unreadable || queue->held_until_us - now_us > READ_AHEAD_US) {
		look_again(jobs, queue, message->unreadable ? now_us + UNREADABLE_AGAIN_US : now_us, now_us);
		return;
	}
	stop(jobs, queue, message, now_us);
	if (message->stopped_count == PAGE_STOPPED) {
		jobs_unload(jobs, queue);
		look_again(jobs, queue, NEVER_US, now_us);
		return;
	}
	if (message->placed)
		place_again(jobs, queue, now_us);
	result = take_rows(pages, queue, message, &passed, now_us);
	if (result == ROW_FULL)
		read_schedule_pause_round(jobs->schedule, queue, goes_on_us(message, passed, now_us));
	else if (result == ROW_STUCK || message->last)
		read_schedule_end_round(jobs->schedule, queue);
	else
		read_schedule_pause_round(jobs->schedule, queue, now_us);
	queues_note_use(jobs->queues, queue, now_us);
}
