/* Takes pages: the jobs in memory first become as their rows are, then jobs that only rows have are added. */
#include "courier/pages.h"

#include <assert.h>
#include <string.h>

#include "courier/endpoint_config.h"

#define RETRY_ROOM_US (1000 * INT64_C(1000)) /* a round without room goes on, at the latest */
#define UNREADABLE_AGAIN_US (60 * INT64_C(1000000)) /* rows that the store refuses to read are read again */
#define EVENT_BYTES_MOST (1024 * INT64_C(1024)) /* of one page */

/* What became of a row: FULL: there was no room for it, and none for those behind it. */
enum row_fate { ROW_PASSED, ROW_FULL };

static void
ask(struct pages *pages, struct queue *queue)
{
	struct endpoint_name name = {.tenant_id = queue->tenant->tenant_id};
	uint64_t room = jobs_room(pages->jobs, queue);
	struct page_wish wish = {
	    .event_bytes = room < EVENT_BYTES_MOST ? room : EVENT_BYTES_MOST,
	    .went_on_us = queue_went_on_us(queue),
	};

	memcpy(wish.after, queue->cursor, sizeof wish.after);
	memcpy(name.endpoint_id, queue->link.id, sizeof name.endpoint_id);
	queue->taken = pages->jobs->taken;
	store_thread_read_page(pages->thread, &name, &wish);
	pages->reading++;
}

void
pages_ask(struct pages *pages, int64_t now_us)
{
	struct look *look = pages->jobs->look;
	struct queue *queue;

	while (pages->reading < PAGES_AT_ONCE && (queue = look_due(look, now_us)) != NULL) {
		if (queue->state == ENDPOINT_UNLOADED) {
			queues_load(pages->jobs->queues, queue);
			look_update(look, queue);
			queues_kept(pages->jobs->queues, queue, now_us);
			continue;
		}
		if (look_is_for_marks(queue)) {
			look_marked(look, queue);
			queues_read_anew(pages->jobs->queues, queue);
			continue;
		}
		if (queue->round == ROUND_NONE)
			look_begin_round(look, queue);
		else
			look_reads(look, queue);
		queues_kept(pages->jobs->queues, queue, now_us);
		ask(pages, queue);
	}
}

static enum row_fate
take_row(struct jobs *jobs, struct queue *queue, const struct page_row *row, int64_t now_us)
{
	struct job_facts facts = {.due_us = row->due_us,
	    .expires_us = row->expires_us,
	    .attempt_count = row->attempt_count,
	    .attempt_base = row->attempt_base};
	struct event_copy *copy;

	if (jobs_find(jobs, row->job_id) != NULL)
		return ROW_PASSED;
	if (row->young) {
		look_leave(jobs->look, queue, row->due_us + YOUNG_ROW_US);
		return ROW_PASSED;
	}
	if (row->due_us - now_us > LOOK_AHEAD_US) {
		look_leave_due(jobs->look, queue, row->due_us);
		return ROW_PASSED;
	}
	if ((row->event == NULL && !row->event_gone) ||
	    !jobs_has_room(jobs, queue, row->event_gone ? 0 : row->event->length))
		return ROW_FULL;
	/* It has waited while its endpoint held, when time did not count. */
	if (row->expires_us == INT64_MIN) {
		facts.expires_anew = true;
		facts.expires_us = now_us + endpoint_lifetime_ms(queue->config) * 1000;
	}
	memcpy(facts.job_id, row->job_id, sizeof facts.job_id);
	memcpy(facts.transform_id, row->transform_id, sizeof facts.transform_id);
	copy = event_copy_new(jobs, row->event_id, row->event_gone ? NULL : row->event);
	jobs_take(jobs, queue, copy, &facts);
	event_copy_give(jobs, copy);
	return ROW_PASSED;
}

/* What is in memory of these rows follows them. */
static void
reconcile(struct jobs *jobs, struct queue *queue, const struct news *page)
{
	uint32_t count = page->row_count;

	jobs_page_begins(jobs);
	for (uint32_t i = 0; i < count; i++)
		jobs_page_has(jobs, queue, page->rows[i].job_id, page->rows[i].due_us);
	jobs_page_ends(jobs, queue, queue->cursor, page->last ? NULL : page->rows[count - 1].job_id);
}

void
pages_take(struct pages *pages, const struct news *news, int64_t now_us)
{
	const struct span tenant_id = {news->tenant_id, strlen(news->tenant_id)};
	struct jobs *jobs = pages->jobs;
	struct queue *queue = queues_find(jobs->queues, tenant_id, news->id);
	uint32_t i = 0;

	assert(pages->reading > 0 && queue != NULL && queue->round == ROUND_READING);
	pages->reading--;
	if (!news->unreadable)
		reconcile(jobs, queue, news);
	if (queue->state != ENDPOINT_LOADED || queue_keeps_nothing(queue)) {
		look_end_round(jobs->look, queue);
		queues_kept(jobs->queues, queue, now_us);
		return;
	}
	/* The receiver has asked for a pause since the page was asked for. */
	if (news->unreadable || queue->held_until_us - now_us > LOOK_AHEAD_US) {
		look_leave(jobs->look, queue, news->unreadable ? now_us + UNREADABLE_AGAIN_US : now_us);
		look_end_round(jobs->look, queue);
		queues_kept(jobs->queues, queue, now_us);
		return;
	}
	for (; i < news->row_count; i++) {
		if (take_row(jobs, queue, &news->rows[i], now_us) == ROW_FULL)
			break;
		if (news->rows[i].outruns)
			cancelled_add(pages->cancelled, news->tenant_id, news->rows[i].job_id, now_us);
		memcpy(queue->cursor, news->rows[i].job_id, sizeof queue->cursor);
	}
	if (i == news->row_count && news->last)
		look_end_round(jobs->look, queue);
	else if (i == news->row_count)
		look_pause_round(jobs->look, queue, now_us);
	else
		look_pause_round(jobs->look, queue, now_us + RETRY_ROOM_US);
	queues_kept(jobs->queues, queue, now_us);
}
