/* Orders in the model; see the header. */
#include "tests/unit/courier_fifo_fixture.h"
#include "tests/unit/courier_store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "courier/outcome.h"

/* Whether an outcome on the lane says that the job is dead. */
static bool
is_reported_dead(const struct model_row *row)
{
	uint32_t position = lane_released(&scene.outcomes);
	struct outcome outcome;
	struct parcel parcel;

	for (; lane_peek(&scene.outcomes, position, &parcel); position++)
		if (outcome_read(parcel.bytes, parcel.length, &outcome) && outcome.kind == VERDICT_DEAD &&
		    memcmp(outcome.job.job_id, row->job_id, 16) == 0)
			return true;
	return false;
}

bool
scene_is_over(const struct model_row *row)
{
	return row->accepted || row->cancelled || !row->is_row || is_reported_dead(row);
}

static bool
is_before(const struct model_row *a, const struct model_row *b)
{
	return a->seq != b->seq ? a->seq < b->seq : memcmp(a->job_id, b->job_id, 16) < 0;
}

void
model_check_order(const struct model_row *row, const struct endpoint_config *config)
{
	for (uint32_t i = 0; config->fifo && i < scene.row_count; i++) {
		const struct model_row *other = scene.rows[i];

		if (other == row || other->endpoint != row->endpoint || (config->by_key && other->key != row->key))
			continue;
		assert_false(other->in_flight);
		assert_false(config->blocks && other->stops);
		/* Rows of place 0 are requeued ones: they come when later rows are in memory already. */
		if (other->seq > 0 && is_before(other, row))
			assert_true(scene_is_over(other));
	}
}

/* ---- rows as pages have them ---- */

int
model_by_id(const void *a, const void *b)
{
	return memcmp((*(struct model_row *const *)a)->job_id, (*(struct model_row *const *)b)->job_id, 16);
}

int
model_by_place(const void *a, const void *b)
{
	const struct model_row *one = *(struct model_row *const *)a, *other = *(struct model_row *const *)b;

	return one->seq != other->seq ? (one->seq > other->seq) - (one->seq < other->seq) : model_by_id(a, b);
}

bool
model_is_behind(const struct model_row *row, const struct page_query *query, int64_t seq, const uint8_t *id)
{
	if (query->fifo && row->seq != seq)
		return row->seq > seq;
	return memcmp(row->job_id, id, 16) > 0;
}

void
model_place_rows(const struct model_endpoint *endpoint)
{
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (&scene.endpoints[scene.rows[i]->endpoint] == endpoint && scene.rows[i]->is_row &&
		    scene.rows[i]->seq < 0) {
			scene.rows[i]->seq = 0;
			scene.rows[i]->expires_ms = 0;
		}
}

void
model_tell_stopped(const struct model_endpoint *endpoint, struct message *page)
{
	page->stopped = mem_new(scene.row_count + 1, 2);
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (&scene.endpoints[scene.rows[i]->endpoint] == endpoint && scene.rows[i]->stops) {
			char *end = page->stopped + 2 * page->stopped_count;

			/* Each key is one byte and NUL. A key of no bytes would be shorter. */
			assert_true(!endpoint->by_key || scene.rows[i]->key != 0);
			end[0] = scene.rows[i]->key != 0 ? scene.rows[i]->key : '-';
			page->stopped_count++;
		}
}

struct page_row
model_page_row(const struct model_row *row, const struct page_query *query)
{
	bool awaits_parcel = !query->fifo && row->attempt_count == 0 && row->due_us <= fake_now_us &&
			     row->due_us + PARCEL_WAIT_US > fake_now_us;
	struct page_row out = {.attempt_count = row->attempt_count,
	    .due_us = row->due_us,
	    .expires_us = row->expires_ms == 0 ? INT64_MIN : row->expires_ms * 1000,
	    .event_gone = row->gone,
	    .fifo_seq = query->fifo ? row->seq : 0,
	    .awaits_parcel = awaits_parcel && row->due_us > query->resumed_us,
	    .overtakes_parcel = awaits_parcel && row->due_us <= query->resumed_us};

	memcpy(out.job_id, row->job_id, 16);
	memcpy(out.event_id, row->event->event_id, 16);
	if (row->has_transform)
		memset(out.transform_id, row->unreadable ? 0xff : 0x11, 16);
	return out;
}

void
model_note_missing(const uint8_t *id, const struct page_query *query, const struct message *page)
{
	const struct page_row *last = page->last ? NULL : &page->rows[page->row_count - 1];

	for (uint32_t i = 0; i < scene.row_count; i++) {
		struct model_row *row = scene.rows[i];

		if (row->cancelled && row->was_known && memcmp(scene.endpoints[row->endpoint].id, id, 16) == 0 &&
		    (!query->fifo || row->seq >= 0) && model_is_behind(row, query, query->after_seq, query->after) &&
		    (last == NULL || !model_is_behind(row, query, last->fifo_seq, last->job_id)))
			row->missing = page;
	}
}

bool
model_is_outdated(const struct message *page)
{
	const struct queue *queue =
	    queues_find(&scene.courier.queues, (struct span){page->tenant_id, strlen(page->tenant_id)}, page->id);

	return page->fifo != queue->fifo.on || queue->fifo.restart || page->places_lowered;
}

/* ---- events of the model ---- */

struct model_row *
scene_store_key(uint32_t endpoint, char key)
{
	return scene_row_of_key(endpoint, 100, fake_now_us, key);
}

struct model_row *
scene_publish_key(uint32_t endpoint, char key)
{
	struct model_row *row = scene_store_key(endpoint, key);

	scene_hand_over(0, &row, 1);
	return row;
}

void
scene_dead_letter(struct model_row *row)
{
	const struct model_endpoint *endpoint = &scene.endpoints[row->endpoint];

	assert_true(row->is_row && !row->in_flight);
	row->is_row = false;
	row->dead++;
	row->stops = endpoint->fifo && endpoint->blocks;
	store_send_rows(endpoint);
}

void
scene_requeue(struct model_row *row)
{
	assert_true(row->dead > 0 && !row->is_row);
	row->dead = 0;
	row->is_row = true;
	row->stops = false;
	row->due_us = fake_now_us - 5 * SECOND;
	row->not_before_us = 0;
	row->seq = scene.endpoints[row->endpoint].fifo ? 0 : -1;
	store_send_rows(&scene.endpoints[row->endpoint]);
}

int
fifo_set_up(void **state)
{
	int rc = scene_set_up(state);

	scene.endpoints[0].fifo = true;
	scene.endpoints[0].max_in_flight = 5;
	return rc;
}

const struct model_row *
under_way(void)
{
	assert_int_equal(scene.attempt_count, 1);
	return scene.attempts[0]->row;
}

void
answer(int32_t status)
{
	http_answer(0, status);
	scene_settle();
	scene_pass(SECOND / 10);
}
