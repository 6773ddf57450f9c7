/*
 * The courier's second thread, as its loop sees it: over an SQLite file, and, where HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), over PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/outcome.h"
#include "courier/store_thread.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/routing.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define SECOND_US (1000 * 1000)
#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static char data_dir[] = "/tmp/hooks-store-thread-XXXXXX", schedule[] = "5s,30s";
static struct segment segment;
static struct lane lane;
static struct store_thread *thread;
static struct error err;
static const uint8_t none[16];

/* ---- the thread ---- */

static void
start(void)
{
	if (store_thread_start(&thread, &db_config, &segment, 0, &err) != 0)
		fail_msg("%s", err.text);
}

static void
stop(void)
{
	assert_true(store_thread_stop(thread, clock_steady_us() + 5 * SECOND_US));
	thread = NULL;
}

/* The next news of that kind; others before it are passed over. */
static struct news *
await(enum news_kind kind)
{
	int64_t until_us = clock_steady_us() + 5 * SECOND_US;
	struct pollfd fd = {.fd = store_thread_fd(thread), .events = POLLIN};
	struct news *news;

	for (;;) {
		news = store_thread_news(thread);
		if (news != NULL && news->kind == kind)
			return news;
		if (news != NULL)
			news_free(news);
		else if (clock_steady_us() >= until_us || poll(&fd, 1, 1000) < 0)
			fail_msg("no news of kind %d", (int)kind);
	}
}

static void
await_and_free(enum news_kind kind)
{
	news_free(await(kind));
}

static int
set_up(void **state)
{
	assert_non_null(mkdtemp(data_dir));
	int rc = jobs_set_up(state);

	db_config.data_dir = data_dir;
	db_config.hl_retry_schedule = schedule;
	return rc;
}

static int
tear_down(void **state)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/hl-node", data_dir);
	(void)unlink(path);
	return jobs_tear_down(state) | rmdir(data_dir);
}

static int
begin(void **state)
{
	segment = courier_segment_open(1);
	lane = courier_segment_outcomes(&segment, 0);
	return jobs_new_tenant(state);
}

static int
end(void **state)
{
	if (thread != NULL)
		stop();
	courier_segment_close(&segment);
	return 0;
}

/* ---- outcomes ---- */

static uint32_t
put_outcome(uint32_t event, enum verdict_kind kind, uint32_t attempt_count)
{
	struct outcome outcome = {
	    .job = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)}, .attempt_count = attempt_count},
	    .kind = kind,
	    .charged = true,
	    .due_ms = clock_wall_us() / 1000 + 60000,
	    .reason = TEXT("http_422"),
	    .http_status = kind == VERDICT_DELIVERED ? 200 : 422,
	    .started_us = clock_wall_us(),
	    .error = TEXT("no"),
	};
	size_t room;

	memcpy(outcome.job.endpoint_id, endpoint_id(1), 16);
	memcpy(outcome.job.job_id, job_id(event, 1), 16);
	memcpy(outcome.job.event_id, event_id(event), 16);
	memcpy(outcome.attempt_id, job_id(event, (uint16_t)(1000 + attempt_count)), 16);

	char *space = lane_reserve(&lane, &room);
	assert_true(space != NULL && room >= OUTCOME_BYTES_MAX);
	uint32_t position = lane_publish(&lane, outcome_write(space, &outcome), 1, 0);
	if (thread != NULL)
		store_thread_wake(thread);
	return position;
}

static void
await_released(uint32_t position)
{
	for (;;) {
		struct news *news = await(NEWS_COMMITTED);
		uint32_t released = news->released;

		news_free(news);
		if ((int32_t)(released - position) >= 0)
			return;
	}
}

static void
test_an_outcome_is_readable_at_once(void **state)
{
	add_job(1, 1, 0);
	start();
	await_and_free(NEWS_STARTED);
	int64_t before_us = clock_steady_us();
	await_released(put_outcome(1, VERDICT_DELIVERED, 1));
	assert_true(clock_steady_us() - before_us < SECOND_US);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND status = 'success'"), 1);
	assert_int_equal(store_report_state(&segment_slot(&segment, ROLE_COURIER, 0)->store), STORE_READY);
}

static void
test_what_the_predecessor_left_is_written_before_the_loop_begins(void **state)
{
	struct news *news;

	add_event(1, "1");
	add_job(1, 1, 0);
	(void)put_outcome(1, VERDICT_DEAD, 1);
	start();
	do {
		news = store_thread_news(thread);
		if (news == NULL)
			continue;
		assert_int_not_equal(news->kind, NEWS_STARTED);
		if (news->kind == NEWS_COMMITTED)
			break;
		news_free(news);
	} while (true);
	news_free(news);
	await_and_free(NEWS_STARTED);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 1);
}

static void
test_of_many_outcomes_of_a_job_the_last_one_applies(void **state)
{
	uint32_t position = 0;

	add_job(1, 1, 0);
	for (uint32_t n = 1; n <= 20; n++)
		position = put_outcome(1, VERDICT_RETRY, n);
	start();
	await_released(position);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 20);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 20);
}

static void
test_the_end_writes_what_is_on_the_lane(void **state)
{
	for (uint32_t event = 1; event <= 700; event++) {
		if (event % 100 == 1)
			add_job(1, event, 0);
		(void)put_outcome(event, VERDICT_DELIVERED, 1);
	}
	start();
	stop();
	assert_int_equal(lane_depth(&lane), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 700);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
}

/* ---- what the loop asks for ---- */

static struct endpoint_name
name_of(uint8_t endpoint)
{
	struct endpoint_name name = {.tenant_id = jobs_tenant};

	memcpy(name.endpoint_id, endpoint_id(endpoint), 16);
	return name;
}

static void
test_a_page_has_rows_with_the_events_of_those_that_are_due(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct news *page;

	add_event(1, "{\"a\":1}");
	add_job(1, 1, 0);
	add_job(1, 2, 0); /* whose event is gone */
	add_job(1, 3, 3600000);
	tenant_run("UPDATE jobs SET node_id = 1 WHERE tenant_id = $1");
	start();
	await_and_free(NEWS_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, none, 1000000);
	page = await(NEWS_PAGE);
	assert_string_equal(page->tenant_id, jobs_tenant);
	assert_int_equal(page->row_count, 3);
	assert_true(page->last);
	assert_memory_equal(page->rows[0].job_id, job_id(1, 1), 16);
	assert_non_null(page->rows[0].event);
	assert_true(record_check(page->rows[0].event, page->rows[0].event->length));
	assert_memory_equal(record_data(page->rows[0].event).base, "{\"a\":1}", 7);
	assert_memory_equal(page->rows[0].event->event_id, event_id(1), 16);
	assert_true(page->rows[1].event_gone && page->rows[1].event == NULL);
	assert_false(page->rows[2].event_gone);
	assert_null(page->rows[2].event);
	assert_in_range(page->rows[2].due_ms - clock_wall_us() / 1000, 3590000, 3600000);
	news_free(page);
}

static void
test_a_page_stops_at_so_many_bytes_of_events_but_has_one(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct news *page;
	uint32_t with_event = 0;

	for (uint32_t event = 1; event <= 40; event++) {
		add_event(event, "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
		add_job(1, event, 0);
	}
	start();
	await_and_free(NEWS_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, none, 1);
	page = await(NEWS_PAGE);
	assert_int_equal(page->row_count, 40);
	assert_non_null(page->rows[0].event);
	assert_null(page->rows[1].event);
	assert_false(page->rows[1].event_gone);
	news_free(page);
	store_thread_read_page(thread, &name, none, 3000);
	page = await(NEWS_PAGE);
	for (uint32_t i = 0; i < page->row_count; i++)
		with_event += page->rows[i].event != NULL;
	assert_in_range(with_event, 10, 20);
	news_free(page);
}

static void
test_a_walk_names_the_endpoints_that_have_rows(void **state)
{
	uint32_t mine = 0;
	struct news *news;

	for (uint8_t endpoint = 1; endpoint <= 3; endpoint++)
		add_job(endpoint, endpoint, 0);
	start();
	await_and_free(NEWS_STARTED);
	store_thread_walk(thread);
	for (;;) {
		news = store_thread_news(thread);
		if (news == NULL)
			continue;
		if (news->kind == NEWS_WALKED)
			break;
		mine += news->kind == NEWS_HAS_ROWS && strcmp(news->tenant_id, jobs_tenant) == 0;
		news_free(news);
	}
	news_free(news);
	assert_int_equal(mine, 3);
}

static void
test_a_transform_comes_read_or_not_at_all(void **state)
{
	struct news *news;

	tenant_run("INSERT INTO transforms (tenant_id, transform_id, steps, created_at) VALUES ($1, "
		   "'11111111-1111-1111-1111-111111111101', '[{\"op\":\"remove_field\",\"field\":\"a\"}]', hl_now())");
	start();
	store_thread_load_transform(thread, jobs_tenant, endpoint_id(1));
	news = await(NEWS_TRANSFORM);
	assert_non_null(news->transform);
	assert_int_equal(news->transform->step_count, 1);
	news_free(news);
	store_thread_load_transform(thread, jobs_tenant, endpoint_id(2));
	news = await(NEWS_TRANSFORM);
	assert_null(news->transform);
	news_free(news);
}

/* ---- changes ---- */

/* A change of an endpoint as control makes it. */
static void
change_endpoint(const char *sql)
{
	const struct db_statement statement = {sql};
	const struct db_param params[] = {db_string(jobs_tenant)};
	int64_t version;

	must_begin(jobs_db);
	must_run(jobs_db, &statement, params, 1);
	must_be(0, routing_raise(jobs_db, jobs_tenant, &err), &err);
	must_be(0, changes_raise(jobs_db, &version, &err), &err);
	must_commit(jobs_db);
}

static void
test_a_changed_endpoint_is_told_before_the_version_of_its_change(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct news *news;
	int64_t version;

	add_endpoint(1);
	start();
	news = await(NEWS_CHANGED);
	version = news->version;
	news_free(news);
	store_thread_load_endpoint(thread, &name);
	news = await(NEWS_ENDPOINT);
	assert_non_null(news->config);
	assert_string_equal(news->config->url, "http://example.com/");
	news_free(news);

	change_endpoint("UPDATE endpoints SET url = 'http://other.example/', version = 2, updated_at = hl_now() "
			"WHERE tenant_id = $1");
	news = await(NEWS_ENDPOINT);
	assert_string_equal(news->config->url, "http://other.example/");
	news_free(news);
	news = await(NEWS_CHANGED);
	assert_int_equal(news->version, version + 1);
	news_free(news);

	change_endpoint("UPDATE endpoints SET deleted_at = hl_now(), updated_at = hl_now() WHERE tenant_id = $1");
	news = await(NEWS_ENDPOINT);
	assert_null(news->config);
	news_free(news);
	await_and_free(NEWS_CHANGED);
}

static void
test_an_endpoint_that_is_not_known_is_told_when_it_has_changed(void **state)
{
	struct news *news;

	add_endpoint(1);
	start();
	await_and_free(NEWS_CHANGED);
	change_endpoint("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1");
	news = await(NEWS_ENDPOINT);
	assert_memory_equal(news->id, endpoint_id(1), 16);
	news_free(news);
}

static int64_t
wait_for(const char *sql, int64_t expected)
{
	int64_t until_us = clock_steady_us() + 5 * SECOND_US, count;

	do
		count = tenant_count(sql);
	while (count != expected && clock_steady_us() < until_us);
	return count;
}

static void
test_jobs_of_an_endpoint_are_held_while_it_is_paused(void **state)
{
	const struct endpoint_name name = name_of(1);
	static const char held[] = "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'held' "
				   "AND expires_at IS NULL";

	add_endpoint(1);
	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	start();
	await_and_free(NEWS_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_load_endpoint(thread, &name);
	await_and_free(NEWS_ENDPOINT);
	change_endpoint("UPDATE endpoints SET paused = TRUE, version = 2, updated_at = hl_now() WHERE tenant_id = $1");
	assert_int_equal(wait_for(held, 3), 3);
	change_endpoint("UPDATE endpoints SET paused = FALSE, version = 3, updated_at = hl_now() WHERE tenant_id = $1");
	assert_int_equal(wait_for(held, 0), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'pending' "
				      "AND hl_ms(expires_at) - hl_ms(hl_now()) > 80000000"),
	    3);
}

/* ---- the node ---- */

static void
test_the_node_keeps_its_row_over_starts_and_gets_another_when_it_is_lost(void **state)
{
	struct node_row first, second, third;

	start();
	await_and_free(NEWS_STARTED);
	assert_true(node_read(&segment.header->node, &first));
	stop();
	node_write(&segment.header->node, &(struct node_row){0}); /* as the next master does */
	start();
	await_and_free(NEWS_STARTED);
	assert_true(node_read(&segment.header->node, &second));
	assert_int_equal(first.node_id, second.node_id);
	assert_true(first.epoch != second.epoch);

	tenant_run("UPDATE delivery_nodes SET epoch = 5 WHERE $1 = $1");
	courier_set_seen_version(segment_courier(&segment, 0), 1000000); /* which a heartbeat tells at once */
	store_thread_wake(thread);
	await_and_free(NEWS_NODE_LOST);
	await_and_free(NEWS_STARTED);
	assert_true(node_read(&segment.header->node, &third));
	assert_true(third.node_id != second.node_id);
	assert_false(store_thread_is_stuck(thread));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_outcome_is_readable_at_once),
	    TEST(test_what_the_predecessor_left_is_written_before_the_loop_begins),
	    TEST(test_of_many_outcomes_of_a_job_the_last_one_applies),
	    TEST(test_the_end_writes_what_is_on_the_lane),
	    TEST(test_a_page_has_rows_with_the_events_of_those_that_are_due),
	    TEST(test_a_page_stops_at_so_many_bytes_of_events_but_has_one),
	    TEST(test_a_walk_names_the_endpoints_that_have_rows),
	    TEST(test_a_transform_comes_read_or_not_at_all),
	    TEST(test_a_changed_endpoint_is_told_before_the_version_of_its_change),
	    TEST(test_an_endpoint_that_is_not_known_is_told_when_it_has_changed),
	    TEST(test_jobs_of_an_endpoint_are_held_while_it_is_paused),
	    TEST(test_the_node_keeps_its_row_over_starts_and_gets_another_when_it_is_lost),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
