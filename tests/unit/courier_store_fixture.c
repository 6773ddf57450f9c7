/* The fake store thread, which reads and writes the model; see the header. */
#include "tests/unit/courier_store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "courier/outcome.h"
#include "tests/unit/courier_fifo_fixture.h"

enum request_kind { LOAD_ENDPOINT, LOAD_TRANSFORM, READ_PAGE, SCAN, TAKE_LEASE };

struct request {
	enum request_kind kind;
	uint8_t id[16], after[16];
	struct page_query query;
	int64_t begun_us; /* by CLOCK_BOOTTIME */
	struct request *next;
};

static struct request *requests, **requests_end = &requests;
static struct message *first_message, **messages_end = &first_message;
static bool started;

static struct request *
request(enum request_kind kind, const uint8_t *id)
{
	struct request *r = mem_new(1, sizeof *r);

	*r = (struct request){.kind = kind, .begun_us = fake_now_us + fake_slept_us};
	if (id != NULL)
		memcpy(r->id, id, 16);
	*requests_end = r;
	requests_end = &r->next;
	return r;
}

static struct message *
send_message(enum message_kind kind, const char *tenant_id, const uint8_t *id)
{
	struct message *message = mem_new(1, sizeof *message);

	*message = (struct message){.kind = kind, .tenant_id = tenant_id != NULL ? mem_strdup(tenant_id) : NULL};
	if (id != NULL)
		memcpy(message->id, id, 16);
	*messages_end = message;
	messages_end = &message->next;
	return message;
}

static struct model_endpoint *
endpoint_by_id(const uint8_t id[16])
{
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		if (memcmp(scene.endpoints[i].id, id, 16) == 0)
			return &scene.endpoints[i];
	fail_msg("an endpoint that the test did not make");
	return NULL;
}

void
store_thread_load_endpoint(struct store_thread *thread, const struct endpoint_name *name)
{
	struct model_endpoint *endpoint = endpoint_by_id(name->endpoint_id);

	assert_string_equal(name->tenant_id, endpoint->tenant_id);
	endpoint->known = true;
	scene.loads++;
	(void)request(LOAD_ENDPOINT, name->endpoint_id);
}

void
store_thread_forget_endpoint(struct store_thread *thread, const struct endpoint_name *name)
{
	endpoint_by_id(name->endpoint_id)->known = false;
}

void
store_thread_write_breaker(struct store_thread *thread, const struct endpoint_name *name, enum breaker_state state)
{
	endpoint_by_id(name->endpoint_id)->breaker = state;
}

void
store_thread_take_lease(struct store_thread *thread, const struct endpoint_name *name, uint32_t for_ms)
{
	struct model_endpoint *endpoint = endpoint_by_id(name->endpoint_id);

	assert_true(for_ms > endpoint->timeout_ms && !endpoint->leased);
	endpoint->lease_asks++;
	(void)request(TAKE_LEASE, name->endpoint_id);
}

void
store_thread_give_lease(struct store_thread *thread, const struct endpoint_name *name)
{
	struct model_endpoint *endpoint = endpoint_by_id(name->endpoint_id);

	assert_true(endpoint->leased && endpoint->in_flight == 0);
	endpoint->leased = false;
}

void
store_thread_write_test(
    struct store_thread *thread, const struct endpoint_name *name, const struct attempt_result *result)
{
	assert_string_equal(name->tenant_id, endpoint_by_id(name->endpoint_id)->tenant_id);
	scene.tested = *result;
	scene.tested_count++;
}

void
store_thread_load_transform(struct store_thread *thread, const char *tenant_id, const uint8_t transform_id[16])
{
	struct request *r = request(LOAD_TRANSFORM, transform_id);

	memcpy(r->after, tenant_id, strnlen(tenant_id, 15));
}

void
store_thread_read_page(struct store_thread *thread, const struct endpoint_name *name, const struct page_query *query)
{
	struct request *r = request(READ_PAGE, name->endpoint_id);

	r->query = scene.page = *query;
	scene.pages++;
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (memcmp(scene.endpoints[scene.rows[i]->endpoint].id, name->endpoint_id, 16) == 0)
			scene.rows[i]->was_known = jobs_find(&scene.courier.jobs, scene.rows[i]->job_id) != NULL;
}

void
store_thread_scan(struct store_thread *thread)
{
	(void)request(SCAN, NULL);
	scene.scans++;
}

void
store_thread_wake(struct store_thread *thread, bool now)
{
	scene.wakes++;
}

/* From now on no attempt of the job may begin, whether the job is in memory or not. */
static void
note_cancelled(const struct message *message)
{
	struct model_row *row = scene_row_by_id(message->id);

	if (strcmp(scene.endpoints[row->endpoint].tenant_id, message->tenant_id) == 0)
		row->told = true;
}

struct message *
store_thread_take_message(struct store_thread *thread)
{
	struct message *message = first_message;

	if (message == NULL)
		return NULL;
	first_message = message->next;
	if (first_message == NULL)
		messages_end = &first_message;
	for (uint32_t i = 0; message->kind == MESSAGE_PAGE && i < scene.row_count; i++)
		scene.rows[i]->told =
		    scene.rows[i]->told || (scene.rows[i]->missing == message && !model_is_outdated(message));
	if (message->kind == MESSAGE_CANCELLED)
		note_cancelled(message);
	if (message->kind == MESSAGE_ENDPOINT)
		endpoint_by_id(message->id)->enabled_as_told = message->config != NULL && message->config->enabled;
	return message;
}

void
message_free(struct message *message)
{
	endpoint_config_unref(message->config);
	if (message->transform != NULL)
		transform_free(message->transform);
	free(message->transform);
	free(message->rows);
	free(message->stopped);
	free(message->memory);
	free(message->tenant_id);
	free(message);
}

void
store_send_cancelled(const struct model_row *row)
{
	struct model_row *own = scene_row_by_id(row->job_id);

	own->noted = own->noted || own->cancelled;
	(void)send_message(MESSAGE_CANCELLED, scene.endpoints[row->endpoint].tenant_id, row->job_id);
}

void
store_send_rows(const struct model_endpoint *endpoint)
{
	(void)send_message(MESSAGE_HAS_ROWS, endpoint->tenant_id, endpoint->id);
}

void
store_send_place(const struct model_row *row)
{
	const struct model_endpoint *endpoint = &scene.endpoints[row->endpoint];

	send_message(MESSAGE_HAS_PLACE, endpoint->tenant_id, endpoint->id)->seq = row->seq;
}

static struct endpoint_config *
config_of(const struct model_endpoint *endpoint)
{
	struct endpoint_config *config = mem_new(1, sizeof *config);

	*config = (struct endpoint_config){.references = 1,
	    .version = endpoint->version,
	    .tenant_id = mem_strdup(endpoint->tenant_id),
	    .url = mem_strdup("https://receiver.example/"),
	    .host = mem_strdup("receiver.example"),
	    .enabled = endpoint->enabled,
	    .fifo = endpoint->fifo,
	    .by_key = endpoint->by_key,
	    .blocks = endpoint->blocks,
	    .fail_fast = true,
	    .timeout_ms = endpoint->timeout_ms,
	    .max_in_flight = endpoint->max_in_flight,
	    .rate_limit_rps = endpoint->rate_limit_rps,
	    .exact_limits = endpoint->exact_limits,
	    .breaker = endpoint->breaker,
	    .breaker_version = endpoint->breaker_version,
	    .waits = endpoint->waits};
	memcpy(config->endpoint_id, endpoint->id, 16);
	memcpy(config->waits_ms, endpoint->waits_ms, sizeof endpoint->waits_ms);
	return config;
}

void
store_send_endpoint(const struct model_endpoint *endpoint)
{
	struct message *message = send_message(MESSAGE_ENDPOINT, endpoint->tenant_id, endpoint->id);

	message->config = endpoint->deleted ? NULL : config_of(endpoint);
	message->version = endpoint->limits_version;
}

void
store_send_test(const struct model_endpoint *endpoint, const struct model_row *row, const uint8_t attempt_id[16])
{
	struct message *message = send_message(MESSAGE_TEST, endpoint->tenant_id, endpoint->id);

	message->config = config_of(endpoint);
	message->memory = mem_new(row->event->length, 1);
	memcpy(message->memory, row->event, row->event->length);
	memcpy(message->attempt_id, attempt_id, sizeof message->attempt_id);
}

static void
answer_transform(const struct request *r)
{
	static const char text[] = "[{\"op\": \"remove_field\", \"field\": \"payload.secret\"}]";
	struct message *message = send_message(MESSAGE_TRANSFORM, (const char *)r->after, r->id);
	struct error err;

	if (r->id[0] == 0xff) /* a transform that the store cannot read */
		return;
	message->transform = mem_new(1, sizeof *message->transform);
	assert_int_equal(transform_parse((struct span){text, sizeof text - 1}, message->transform, &err), 0);
}

static void
answer_page(const struct request *r)
{
	struct model_endpoint *endpoint = endpoint_by_id(r->id);
	struct message *message = send_message(MESSAGE_PAGE, endpoint->tenant_id, r->id);
	uint64_t bytes = 0;
	bool full = false, any = false;

	if (r->query.places && !endpoint->unreadable) {
		model_place_rows(endpoint);
		message->placed = true;
	}
	if (r->query.fifo && endpoint->other_sender) {
		message->fifo = message->other_sender = message->last = true;
		return;
	}
	if (r->query.new_only && r->query.after_seq > endpoint->last_seq) {
		message->fifo = message->places_lowered = message->last = true;
		return;
	}
	if (scene.row_count > 0)
		qsort(scene.rows, scene.row_count, sizeof *scene.rows, r->query.fifo ? model_by_place : model_by_id);
	if (r->query.blocks)
		model_tell_stopped(endpoint, message);
	message->fifo = r->query.fifo;
	message->rows = mem_new(MODEL_PAGE_ROWS, sizeof *message->rows);
	message->last = true;
	message->unreadable = endpoint->unreadable;
	for (uint32_t i = 0; i < scene.row_count && !message->unreadable; i++) {
		const struct model_row *row = scene.rows[i];

		if (!row->is_row || &scene.endpoints[row->endpoint] != endpoint || (r->query.fifo && row->seq < 0) ||
		    !model_is_behind(row, &r->query, r->query.after_seq, r->query.after))
			continue;
		if (message->row_count == MODEL_PAGE_ROWS) {
			message->last = false;
			break;
		}
		message->rows[message->row_count] = model_page_row(row, &r->query);
		if (!row->gone && (r->query.fifo || (!message->rows[message->row_count].awaits_parcel &&
							row->due_us <= fake_now_us + 60 * SECOND))) {
			full = full || (any && bytes + row->event->length > r->query.event_bytes);
			if (!full)
				message->rows[message->row_count].event = row->event;
			bytes += row->event->length;
			any = true;
		}
		message->row_count++;
	}
	if (!message->unreadable)
		model_note_missing(r->id, &r->query, message);
}

static void
answer_lease(const struct request *r)
{
	struct model_endpoint *endpoint = endpoint_by_id(r->id);
	struct message *message = send_message(MESSAGE_LEASE, endpoint->tenant_id, endpoint->id);

	message->given = endpoint->leased = !endpoint->leased_elsewhere;
	message->begun_us = r->begun_us;
}

static void
answer_scan(void)
{
	for (uint32_t e = 0; e < ENDPOINTS; e++)
		for (uint32_t i = 0; i < scene.row_count; i++)
			if (scene.rows[i]->is_row && scene.rows[i]->endpoint == e) {
				send_message(MESSAGE_HAS_ROWS, scene.endpoints[e].tenant_id, scene.endpoints[e].id)
				    ->by_scan = true;
				break;
			}
	(void)send_message(MESSAGE_SCANNED, NULL, NULL);
}

bool
store_answer(void)
{
	struct request *r = requests;

	if (!started || r == NULL)
		return false;
	requests = r->next;
	if (requests == NULL)
		requests_end = &requests;
	switch (r->kind) {
	case LOAD_ENDPOINT:
		store_send_endpoint(endpoint_by_id(r->id));
		break;
	case LOAD_TRANSFORM:
		answer_transform(r);
		break;
	case READ_PAGE:
		answer_page(r);
		break;
	case SCAN:
		answer_scan();
		break;
	case TAKE_LEASE:
		answer_lease(r);
		break;
	}
	free(r);
	return true;
}

/* Changes the row as the statements do: to absolute values, and only if the outcome is newer than the row. */
static void
apply(const struct outcome *outcome, uint32_t position)
{
	struct model_row *row = scene_row_by_id(outcome->job.job_id);

	if (scene.endpoints[row->endpoint].refuses) {
		row->accepted = false;
		send_message(MESSAGE_REFUSED, NULL, row->job_id)->position = position;
		return;
	}

	if (outcome->disables && outcome->breaker_version == scene.endpoints[row->endpoint].breaker_version) {
		scene.endpoints[row->endpoint].enabled = false;
		scene.endpoints[row->endpoint].version++;
	}
	if (!row->is_row || row->attempt_count + outcome->charged > outcome->job.attempt_count)
		return;
	row->attempt_count = outcome->job.attempt_count;
	if (outcome->kind == VERDICT_RETRY) {
		row->due_us = outcome->due_ms * 1000;
		return;
	}
	row->is_row = false;
	row->stops = outcome->kind == VERDICT_DEAD && scene.endpoints[row->endpoint].fifo &&
		     scene.endpoints[row->endpoint].blocks;
	row->delivered += outcome->kind == VERDICT_DELIVERED;
	row->dead += outcome->kind == VERDICT_DEAD;
	(void)snprintf(row->reason, sizeof row->reason, "%.*s", (int)outcome->reason.len, outcome->reason.base);
}

uint32_t
store_commit(uint32_t most)
{
	uint32_t position = lane_released(&scene.outcomes), count = 0;
	struct outcome outcome;
	struct parcel parcel;

	for (; started && count < most && lane_peek(&scene.outcomes, position, &parcel); count++, position++) {
		assert_true(outcome_read(parcel.bytes, parcel.length, &outcome));
		apply(&outcome, position + 1);
	}
	if (count > 0) {
		lane_release(&scene.outcomes, position);
		send_message(MESSAGE_COMMITTED, NULL, NULL)->released = position;
	}
	return count;
}

void
store_start(void)
{
	started = true;
	(void)store_commit(UINT32_MAX);
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->noted)
			store_send_cancelled(scene.rows[i]);
	(void)send_message(MESSAGE_STARTED, NULL, NULL);
}

void
store_lose_node(void)
{
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		scene.endpoints[i].leased = false; /* a lease belongs to the node's row, and is lost with it */
	(void)send_message(MESSAGE_NODE_LOST, NULL, NULL);
}

void
store_send_nodes(uint32_t nodes, uint32_t rank)
{
	send_message(MESSAGE_NODES, NULL, NULL)->view = (struct share_view){nodes, rank};
}

void
store_send_pause(const char *tenant_id)
{
	struct message *message = send_message(MESSAGE_PAUSED, NULL, NULL);

	message->pauses.tenants = mem_new(1, sizeof(char *));
	message->pauses.all = tenant_id != NULL && strcmp(tenant_id, "*") == 0;
	if (tenant_id != NULL && !message->pauses.all)
		message->pauses.tenants[message->pauses.count++] = mem_strdup(tenant_id);
}

void
store_send_version(int64_t version)
{
	send_message(MESSAGE_CHANGED, NULL, NULL)->version = version;
}

void
store_send_seen(int64_t version)
{
	send_message(MESSAGE_SEEN, NULL, NULL)->version = version;
}

void
store_forget(void)
{
	struct message *message;

	for (struct request *next; requests != NULL; requests = next) {
		next = requests->next;
		free(requests);
	}
	requests_end = &requests;
	while ((message = store_thread_take_message(NULL)) != NULL)
		message_free(message);
	started = false;
}

bool
store_has_messages(void)
{
	return first_message != NULL;
}
