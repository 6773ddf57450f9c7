/* The fake client, and the model; see the header. The fake store thread is in courier_store_fixture.c. */
#include "tests/unit/courier_fifo_fixture.h"
#include "tests/unit/courier_store_fixture.h"
#include "tests/unit/courier_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <time.h>

#include "base/mem.h"
#include "base/sizes.h"
#include "courier/outcome.h"
#include "event/handover.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/published_fixture.h"

struct scene scene;
int64_t fake_now_us, fake_step_us, fake_slept_us;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t now_us = fake_now_us + (id == CLOCK_REALTIME ? fake_step_us : id == CLOCK_BOOTTIME ? fake_slept_us : 0);

	*ts = (struct timespec){.tv_sec = now_us / SECOND, .tv_nsec = now_us % SECOND * 1000};
	return 0;
}

/* ---- the client ---- */

struct model_row *
scene_row_by_id(const uint8_t job_id[16])
{
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (memcmp(scene.rows[i]->job_id, job_id, 16) == 0)
			return scene.rows[i];
	fail_msg("an attempt of a job that the test did not make");
	return NULL;
}

void
http_begin(struct http *http, const struct attempt_spec *spec)
{
	if (spec->attempt_id != NULL) {
		scene.test = *spec;
		scene.tests++;
		return;
	}

	struct model_attempt *under_way = mem_new(1, sizeof *under_way);
	struct model_row *row = scene_row_by_id(spec->job_id);
	struct model_endpoint *endpoint = &scene.endpoints[row->endpoint];

	assert_false(row->in_flight || row->accepted || row->told);
	assert_true(endpoint->enabled_as_told && spec->endpoint->enabled);
	assert_true(fake_now_us >= row->not_before_us);
	assert_memory_equal(spec->event, row->event, row->event->length);
	assert_true((spec->transform != NULL) == row->has_transform);
	model_check_order(row, spec->endpoint);
	endpoint->in_flight++;
	assert_true(endpoint->in_flight <= spec->endpoint->max_in_flight);
	assert_true(spec->endpoint->fifo || endpoint->leased ||
		    !share_needs_lease(
			&scene.courier.ready.shares.view, spec->endpoint->max_in_flight, spec->endpoint->exact_limits));
	if (endpoint->in_flight > endpoint->most_in_flight)
		endpoint->most_in_flight = endpoint->in_flight;
	row->in_flight = true;
	row->attempts++;
	under_way->spec = *spec;
	under_way->row = row;
	scene.attempts = mem_resize(scene.attempts, scene.attempt_count + 1, sizeof(struct model_attempt *));
	scene.attempts[scene.attempt_count++] = under_way;
	scene.begun++;
}

static void
take_attempt_out(uint32_t number)
{
	struct model_attempt *attempt = scene.attempts[number];

	attempt->row->in_flight = false;
	scene.endpoints[attempt->row->endpoint].in_flight--;
	scene.attempts[number] = scene.attempts[--scene.attempt_count];
	free(attempt);
}

int64_t
http_due_us(const struct http *http)
{
	return NEVER_US;
}

static void
end_attempt(uint32_t number)
{
	struct model_attempt attempt = *scene.attempts[number];

	take_attempt_out(number);
	attempt.row->accepted = attempt.result.http_status / 100 == 2;
	courier_attempt_done(&scene.courier, attempt.spec.context, &attempt.result);
	if (attempt.result.end == ATTEMPT_ANSWERED && attempt.result.retry_after_ms > 0)
		attempt.row->not_before_us = fake_now_us + attempt.result.retry_after_ms * 1000;
	else if (attempt.result.http_status >= 300 && scene.endpoints[attempt.row->endpoint].waits > 0)
		attempt.row->not_before_us = fake_now_us + scene.endpoints[attempt.row->endpoint].waits_ms[0] * 1000;
}

void
http_run(struct http *http)
{
	for (uint32_t i = 0; i < scene.attempt_count;)
		if (scene.attempts[i]->is_done)
			end_attempt(i);
		else
			i++;
}

void
http_end(uint32_t number, const struct attempt_result *result)
{
	scene.attempts[number]->result = *result;
	scene.attempts[number]->is_done = true;
}

void
http_answer(uint32_t number, int32_t status)
{
	const struct attempt_result result = {.end = ATTEMPT_ANSWERED, .http_status = status, .retry_after_ms = -1};

	http_end(number, &result);
}

void
http_cut(struct http *http, const void *attempt_context)
{
	const struct attempt_result result = {.end = ATTEMPT_INTERNAL, .retry_after_ms = -1};

	for (uint32_t i = 0; i < scene.attempt_count; i++)
		if (scene.attempts[i]->spec.context == attempt_context) {
			if (!scene.attempts[i]->is_done)
				http_end(i, &result);
			end_attempt(i);
			return;
		}
	fail_msg("an attempt is cut off that is not under way");
}

/* ---- the scene ---- */

static void
new_courier(void)
{
	node_write(&scene.node, &(struct node_row){.node_id = 1});
	node_set_attempts_until_us(&scene.node, INT64_MAX);
	scene.courier = (struct courier){.slot = &scene.slot, .node = &scene.node};
	scene.courier.parcels.count = LANES;
	memcpy(scene.courier.parcels.lanes, scene.jobs, sizeof scene.jobs);
	scene.courier.reports.lane = scene.outcomes;
	scene.courier.reports.slot = &scene.slot.process;
	courier_open(&scene.courier, scene.limit, SETTLE);
	scene.courier.ready.shares.view.nodes = 1;
	scene.courier.queues.opened_us -= SECOND; /* so that rate_limit_rps lets the first attempts through */
}

void
scene_begin(uint64_t limit, uint64_t outcomes_bytes)
{
	scene = (struct scene){.limit = limit};
	fake_now_us = 1000000 * SECOND;
	fake_step_us = fake_slept_us = 0;
	for (uint32_t i = 0; i < LANES; i++)
		scene.jobs[i] = lane_over_memory(1024, 1 << 20, 0, 0);
	scene.outcomes = lane_over_memory(1024, outcomes_bytes, 0, 0);
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		scene.endpoints[i] = (struct model_endpoint){.tenant_id = i < 2    ? "acme"
									  : i == 2 ? "bolt"
										   : "default",
		    .version = 1,
		    .breaker_version = 1,
		    .enabled = true,
		    .timeout_ms = 30000,
		    .max_in_flight = 3,
		    .rate_limit_rps = 100000,
		    .waits = 3,
		    .waits_ms = {1000, 2000, 90000}};
		memset(scene.endpoints[i].id, (int)i + 1, 16);
	}
	new_courier();
}

static void
drop_courier(void)
{
	while (scene.attempt_count > 0) {
		jobs_cut_off(&scene.courier.jobs, scene.attempts[0]->spec.context);
		take_attempt_out(0);
	}
	store_forget();
	courier_close(&scene.courier);
}

void
scene_kill(void)
{
	drop_courier();
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		scene.endpoints[i].known = scene.endpoints[i].leased = false;
	for (uint32_t i = 0; i < scene.row_count; i++)
		scene.rows[i]->not_before_us = 0; /* a new courier does not know the pauses of receivers */
	new_courier();
}

void
scene_end(void)
{
	drop_courier();
	for (uint32_t i = 0; i < scene.row_count; i++) {
		free(scene.rows[i]->event);
		free(scene.rows[i]);
	}
	free(scene.rows);
	free(scene.attempts);
}

static void
add_row(struct model_row *row)
{
	scene.rows = mem_resize(scene.rows, scene.row_count + 1, sizeof(struct model_row *));
	scene.rows[scene.row_count++] = row;
}

struct model_row *
scene_row_of_key(uint32_t endpoint, uint32_t bytes, int64_t begun_us, char key)
{
	static uint32_t number;
	struct model_endpoint *to = &scene.endpoints[endpoint];
	const char *tenant_id = to->tenant_id, text[2] = {key, 0};
	struct model_row *row = mem_new(1, sizeof *row);
	char *payload = mem_printf("\"%0*u\"", (int)bytes, ++number);
	const struct published published = {.tenant_id = strcmp(tenant_id, "default") == 0 ? NULL : tenant_id,
	    .strings = {[PUBLISHED_TOPIC] = "attempt.created", [PUBLISHED_ORDERING_KEY] = key != 0 ? text : NULL},
	    .payload = payload,
	    .occurred_us = fake_now_us,
	    .received_us = begun_us};

	row->event = published_record(&published);
	/* The order of ids differs from that of commits, so that no test passes by the order of ids. */
	uint32_t mixed = to->fifo ? number * 2654435761u : number;
	row->event->event_id[8] = (uint8_t)(mixed >> 24);
	row->event->event_id[9] = (uint8_t)(mixed >> 16);
	row->event->event_id[10] = (uint8_t)(mixed >> 8);
	row->event->event_id[11] = (uint8_t)mixed;
	row->event->event_id[12] = to->fifo;
	row->seq = to->fifo ? ++to->last_seq : -1;
	row->key = key;
	record_seal(row->event);
	free(payload);
	handover_job_id(row->event->event_id, 1, row->job_id);
	row->endpoint = endpoint;
	row->is_row = true;
	row->begun_us = row->due_us = begun_us;
	row->expires_ms = to->fifo ? 0 : fake_now_us / 1000 + 24 * 3600 * 1000;
	add_row(row);
	return row;
}

struct model_row *
scene_row(uint32_t endpoint, uint32_t bytes, int64_t begun_us)
{
	return scene_row_of_key(endpoint, bytes, begun_us, 0);
}

struct model_row *
scene_sibling(const struct model_row *row, uint32_t endpoint, uint32_t number)
{
	struct model_row *other = mem_new(1, sizeof *other);

	*other = *row;
	other->event = memcpy(mem_new(1, row->event->length), row->event, row->event->length);
	handover_job_id(row->event->event_id, number, other->job_id);
	other->endpoint = endpoint;
	add_row(other);
	return other;
}

void
scene_hand_over(uint32_t lane, struct model_row **rows, uint32_t count)
{
	struct handover_job jobs[8] = {0};
	size_t available;
	char *base = lane_reserve(&scene.jobs[lane], &available);

	for (uint32_t i = 0; i < count; i++) {
		memcpy(jobs[i].endpoint_id, scene.endpoints[rows[i]->endpoint].id, 16);
		if (rows[i]->has_transform)
			memset(jobs[i].transform_id, rows[i]->unreadable ? 0xff : 0x11, 16);
		jobs[i].expires_ms = rows[i]->expires_ms;
		jobs[i].number = i + 1;
		jobs[i].fifo = rows[i]->seq > 0;
	}
	if (base == NULL || available < handover_bytes(rows[0]->event, count)) {
		scene_miss();
		return;
	}
	handover_write(base, rows[0]->event, jobs, count, rows[0]->begun_us + fake_slept_us);
	(void)lane_publish(&scene.jobs[lane], handover_bytes(rows[0]->event, count), count, 0);
}

void
scene_miss(void)
{
	courier_add_missed(&scene.slot);
}

void
scene_cancel(struct model_row *row)
{
	row->is_row = false;
	row->cancelled = true;
	store_send_rows(&scene.endpoints[row->endpoint]);
}

void
scene_hurry(struct model_row *row)
{
	row->due_us = fake_now_us;
	row->not_before_us = 0;
	store_send_rows(&scene.endpoints[row->endpoint]);
}

struct model_row *
scene_publish(uint32_t endpoint)
{
	struct model_row *row = scene_row(endpoint, 100, fake_now_us);

	scene_hand_over(0, &row, 1);
	return row;
}

void
scene_change(uint32_t endpoint)
{
	scene.endpoints[endpoint].version++;
	if (scene.endpoints[endpoint].known)
		store_send_endpoint(&scene.endpoints[endpoint]);
}

void
scene_settle(void)
{
	bool changed;

	do {
		uint32_t begun = scene.begun;

		(void)courier_turn(&scene.courier);
		changed = store_answer();
		changed = store_commit(UINT32_MAX) > 0 || changed || scene.begun != begun || store_has_messages() ||
			  courier_has_work(&scene.courier);
	} while (changed);
}

void
scene_pass(int64_t us)
{
	fake_now_us += us;
	scene_settle();
}

void
scene_publish_many(uint32_t endpoint, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)scene_publish(endpoint);
	scene_settle();
}

void
scene_answer_all(int32_t status)
{
	for (uint32_t i = 0; i < scene.attempt_count; i++)
		http_answer(i, status);
	scene_settle();
}

int
scene_set_up(void **state)
{
	scene_begin(8 * MIB, 1 * MIB);
	store_start();
	scene_settle();
	return 0;
}

int
scene_tear_down(void **state)
{
	scene_end();
	return 0;
}

uint32_t
jobs_in_memory(void)
{
	return scene.courier.jobs.table.count;
}
