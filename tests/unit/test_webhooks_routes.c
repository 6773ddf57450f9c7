/* Which jobs an event gets from a tenant's subscriptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/routes.h"
#include "tests/unit/event_fixture.h"

/* Returns a subscription with ids of one byte each. */
static struct route
route(uint8_t endpoint, uint8_t transform, uint8_t subscription, const char *pattern, const char *filter)
{
	struct route row = {.lifetime_ms = 1000 * endpoint, .pattern = {pattern, strlen(pattern)}};

	row.endpoint_id[0] = endpoint;
	row.transform_id[0] = transform;
	row.subscription_id[0] = subscription;
	if (filter != NULL)
		row.filter = (struct span){filter, strlen(filter)};
	return row;
}

/* The jobs of an event: "1/0:5,6 2/0h:7" is two jobs, each endpoint/transform:subscriptions; h: held. */
static const char *
matched(struct route *rows, uint32_t count, const struct published_event *event)
{
	static char out[4096];
	struct route_jobs jobs = {0};
	struct bytes text = {0};
	uint32_t unreadable;
	struct routes *routes = routes_new(rows, count, &unreadable);
	struct record *record = published_event(event);
	char *end = out;

	assert_true(routes_bytes(routes) > 0);
	uint32_t made = routes_match(routes, record, &text, &jobs);
	assert_int_equal(made, jobs.count);
	*end = '\0';
	for (uint32_t j = 0; j < jobs.count; j++) {
		const struct route_job *job = &jobs.jobs[j];

		assert_int_equal(job->lifetime_ms, 1000 * job->endpoint_id[0]);
		end += sprintf(end, "%s%u/%u%s:", j > 0 ? " " : "", job->endpoint_id[0], job->transform_id[0],
		    job->held ? "h" : "");
		for (uint32_t i = 0; i < job->count; i++)
			end += sprintf(end, "%s%u", i > 0 ? "," : "", jobs.ids[job->first + i][0]);
	}
	if (unreadable > 0)
		(void)sprintf(end, " unreadable: %u", unreadable);
	route_jobs_free(&jobs);
	bytes_free(&text);
	free(record);
	routes_free(routes);
	return out;
}

#define MATCHED(rows, ...) matched(rows, sizeof(rows) / sizeof *(rows), &(struct published_event){__VA_ARGS__})

static void
test_subscriptions_of_one_endpoint_and_transform_share_a_job(void **state)
{
	struct route rows[] = {route(2, 0, 9, "#", NULL), route(1, 0, 6, "order.*", NULL),
	    route(1, 0, 5, "order.#", NULL), route(1, 3, 7, "order.new", NULL), route(1, 0, 8, "user.*", NULL)};

	assert_string_equal(MATCHED(rows, .topic = "order.new"), "1/0:5,6 1/3:7 2/0:9");
	assert_string_equal(MATCHED(rows, .topic = "user.new"), "1/0:8 2/0:9");
	assert_string_equal(MATCHED(rows, .topic = "user.new.x"), "2/0:9");
}

static void
test_filters_see_the_whole_event(void **state)
{
	struct route rows[] = {route(1, 0, 1, "#", "{\"gt\":\"payload.n\",\"value\":2}"),
	    route(2, 0, 2, "#", "{\"eq\":\"topic\",\"value\":\"a\"}"),
	    route(3, 0, 3, "#", "{\"eq\":\"tenant_id\",\"value\":\"acme\"}"),
	    route(4, 0, 4, "#", "{\"eq\":\"colour\",\"value\":\"red\"}"), route(5, 0, 5, "#", NULL)};

	assert_string_equal(MATCHED(rows, .topic = "a", .payload = "{\"n\":3}"), "1/0:1 2/0:2 5/0:5");
	assert_string_equal(MATCHED(rows, .topic = "b", .payload = "{\"n\":2}", .tenant_id = "acme"), "3/0:3 5/0:5");
	assert_string_equal(MATCHED(rows, .topic = "b", .extra = "{\"colour\":\"red\"}"), "4/0:4 5/0:5");
}

static void
test_jobs_of_a_disabled_endpoint_are_held(void **state)
{
	struct route rows[] = {route(1, 0, 1, "#", NULL), route(2, 0, 2, "#", NULL)};

	rows[1].held = true;
	assert_string_equal(MATCHED(rows, .topic = "a"), "1/0:1 2/0h:2");
}

/* A row that somebody has edited does not stop the others. */
static void
test_a_subscription_that_cannot_be_read_matches_nothing(void **state)
{
	struct route rows[] = {route(1, 0, 1, "a..b", NULL), route(1, 0, 2, "#", "{\"nonsense\":1}"),
	    route(1, 0, 3, "", NULL), route(1, 0, 4, "#", "{\"exists\":\"payload.x\"}"), route(2, 0, 5, "#", NULL)};

	assert_string_equal(MATCHED(rows, .topic = "a", .payload = "{\"x\":null}"), "1/0:4 2/0:5 unreadable: 3");
}

static void
test_without_subscriptions_there_are_no_jobs(void **state)
{
	assert_string_equal(
	    matched((struct route[1]){{.held = false}}, 0, &(struct published_event){.topic = "a"}), "");
}

/* The records of a spool are checked, but anybody can compute their checksums. */
static void
test_an_event_without_a_topic_makes_no_jobs(void **state)
{
	struct route rows[] = {route(1, 0, 1, "#", NULL)};

	assert_string_equal(MATCHED(rows, .topic = NULL), "");
	assert_string_equal(MATCHED(rows, .topic = "a..b"), "");
}

static void
test_an_event_with_ten_thousand_routes_makes_a_job_for_each(void **state)
{
	enum { PAIRS = 10000 };
	struct route *rows = mem_new(2 * PAIRS, sizeof *rows);
	struct record *record = published_event(&(struct published_event){.topic = "a.b"});
	struct route_jobs jobs = {0};
	struct bytes text = {0};
	uint32_t unreadable;

	for (uint32_t i = 0; i < 2 * PAIRS; i++) {
		rows[i] = route(0, 0, 0, i < PAIRS ? "a.*" : "#", NULL);
		memcpy(rows[i].endpoint_id, &(uint32_t){i % 100}, sizeof i);
		memcpy(rows[i].transform_id, &(uint32_t){i % PAIRS / 100}, sizeof i);
		memcpy(rows[i].subscription_id, &i, sizeof i);
	}

	struct routes *routes = routes_new(rows, 2 * PAIRS, &unreadable);

	assert_int_equal(routes_match(routes, record, &text, &jobs), PAIRS);
	assert_int_equal(routes_match(routes, record, &text, &jobs), PAIRS);
	assert_int_equal(jobs.count, 2 * PAIRS);
	assert_int_equal(jobs.id_count, 4 * PAIRS);
	for (uint32_t i = 0; i < jobs.count; i++)
		assert_int_equal(jobs.jobs[i].count, 2);
	route_jobs_free(&jobs);
	bytes_free(&text);
	routes_free(routes);
	free(record);
	free(rows);
}

/* An id has 16 bits for the number of a job. Only rows that somebody has written by hand make more jobs. */
static void
test_jobs_beyond_the_largest_number_are_left_out(void **state)
{
	enum { PAIRS = ROUTE_JOBS_MAX + 5 };
	struct route *rows = mem_new(PAIRS, sizeof *rows);
	struct record *record = published_event(&(struct published_event){.topic = "a.b"});
	struct route_jobs jobs = {0};
	struct bytes text = {0};
	uint32_t unreadable;

	for (uint32_t i = 0; i < PAIRS; i++) {
		rows[i] = route(0, 0, 0, "#", NULL);
		memcpy(rows[i].endpoint_id, &i, sizeof i);
	}

	struct routes *routes = routes_new(rows, PAIRS, &unreadable);

	assert_int_equal(routes_match(routes, record, &text, &jobs), ROUTE_JOBS_MAX);
	route_jobs_free(&jobs);
	bytes_free(&text);
	routes_free(routes);
	free(record);
	free(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_subscriptions_of_one_endpoint_and_transform_share_a_job),
	    cmocka_unit_test(test_filters_see_the_whole_event),
	    cmocka_unit_test(test_jobs_of_a_disabled_endpoint_are_held),
	    cmocka_unit_test(test_a_subscription_that_cannot_be_read_matches_nothing),
	    cmocka_unit_test(test_without_subscriptions_there_are_no_jobs),
	    cmocka_unit_test(test_an_event_without_a_topic_makes_no_jobs),
	    cmocka_unit_test(test_an_event_with_ten_thousand_routes_makes_a_job_for_each),
	    cmocka_unit_test(test_jobs_beyond_the_largest_number_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
