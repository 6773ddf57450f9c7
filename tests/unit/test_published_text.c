/* What a client reads about its published events. It follows from what the publisher wrote into their parcel. */
#include "base/bytes.h"
#include "event/publish_outcome.h"
#include "ingest/event_id.h"
#include "server/published_text.h"
#include "tests/unit/decode_fixture.h"

#define EVENTS_MAX 16

static struct parcel parcel;
static struct publish_outcome *outcomes[EVENTS_MAX];
static struct bytes out;

/* Makes a parcel of the events in an array. All of them are stored and have no jobs. */
static void
publish(const char *body)
{
	setup(NULL);
	env.published = true;
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	parcel = (struct parcel){.bytes = arena, .length = result.bytes, .events = result.events};
	for (size_t at = 0, n = 0; at < result.bytes; n++) {
		assert_true(n < EVENTS_MAX);
		outcomes[n] = (void *)(arena + at);
		outcomes[n]->result = PUBLISH_STORED;
		at += sizeof *outcomes[n];
		at += ((const struct record *)(const void *)(arena + at))->length;
	}
	out.len = 0;
}

static const char *
text(void)
{
	bytes_add(&out, "", 1);
	return out.base;
}

static size_t
times(const char *what)
{
	size_t n = 0;

	for (const char *at = text(); (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
test_a_stored_event_lists_its_jobs(void **state)
{
	publish("[{\"topic\":\"t\",\"payload\":[1]}]");
	outcomes[0]->jobs = 2;
	published_text_event(&out, &parcel, 201);
	assert_int_equal(times("0001\",\""), 1);
	assert_int_equal(times("0002\"],\"deduped\":false}"), 1);
	assert_int_equal(times("\"payload\":[1]"), 1);
}

static void
test_a_repeated_event_has_the_first_ones_id_and_times(void **state)
{
	char expected[64];

	publish("[{\"topic\":\"t\"}]");
	outcomes[0]->result = PUBLISH_KNOWN;
	(void)event_id_published(&ids, 1700000000123000, outcomes[0]->event_id);
	/* The source of ids goes on from its last id, so that the time is that one's. */
	(void)snprintf(expected, sizeof expected, "\"created_at\":%lld,\"occurred_at\":%lld",
	    (long long)event_id_time(outcomes[0]->event_id) / 1000,
	    (long long)event_id_time(outcomes[0]->event_id) / 1000);
	published_text_event(&out, &parcel, 200);
	assert_int_equal(times(expected), 1);
	assert_int_equal(times("job_ids"), 0);
	assert_int_equal(times("\"deduped\":true}"), 1);

	publish("[{\"topic\":\"t\",\"occurred_at\":5}]");
	uuid_source_init(&ids);
	(void)event_id_published(&ids, 1700000000123000, outcomes[0]->event_id);
	published_text_event(&out, &parcel, 200);
	assert_int_equal(times("\"created_at\":1700000000123,\"occurred_at\":5"), 1);
}

static void
test_a_spooled_event_has_null_for_jobs_and_an_unchecked_key(void **state)
{
	publish("[{\"topic\":\"t\"}]");
	memset(outcomes[0], 0, sizeof *outcomes[0]);
	published_text_event(&out, &parcel, 202);
	assert_int_equal(times(",\"job_ids\":null,\"idempotency\":\"unchecked\"}"), 1);
	assert_int_equal(times("deduped"), 0);
}

static void
test_each_event_of_a_batch_has_its_own_result(void **state)
{
	publish("[{\"topic\":\"a\"},{\"topic\":\"b\"},{\"topic\":\"c\"},{\"topic\":\"d\"},{\"topic\":\"e\"}]");
	outcomes[0]->jobs = 1;
	outcomes[1]->result = PUBLISH_KNOWN;
	outcomes[2]->result = PUBLISH_CONFLICT;
	outcomes[3]->result = PUBLISH_DEAD;
	outcomes[4]->result = 0;
	published_text_batch(&out, &parcel, "\"rejected\":1");
	assert_int_equal(times("0001\"],\"deduped\":false},"), 1);
	assert_int_equal(
	    times("{\"id\":\"00000000-0000-0000-0000-000000000000\",\"job_ids\":null,\"deduped\":true}"), 1);
	assert_int_equal(
	    times("{\"id\":null,\"job_ids\":null,\"deduped\":false,\"error\":\"idempotency_conflict\"}"), 1);
	assert_int_equal(times("{\"id\":null,\"job_ids\":null,\"deduped\":false,\"error\":\"refused_by_store\"}"), 1);
	assert_int_equal(times("{\"id\":null,\"job_ids\":null,\"deduped\":false,\"error\":\"not_stored\"}"), 1);
	assert_int_equal(times("],\"count\":5,\"failed\":3,\"rejected\":1}"), 1);
}

static void
test_a_spooled_batch_has_null_for_jobs_and_an_unchecked_key(void **state)
{
	publish("[{\"topic\":\"a\"},{\"topic\":\"b\"}]");
	memset(outcomes[0], 0, sizeof *outcomes[0]);
	parcel.flags = LANE_AWAITED | LANE_SPOOLED;
	published_text_batch(&out, &parcel, NULL);
	assert_int_equal(times("\"job_ids\":null,\"deduped\":false}"), 2);
	assert_int_equal(times("],\"count\":2,\"failed\":0,\"idempotency\":\"unchecked\"}"), 1);
	out.len = 0;
	published_text_batch(&out, &(struct parcel){0}, NULL);
	assert_string_equal(text(), "{\"items\":[],\"count\":0,\"failed\":0}");
}

static void
test_an_answer_lists_a_limited_number_of_jobs(void **state)
{
	publish("[{\"topic\":\"a\"},{\"topic\":\"b\"},{\"topic\":\"c\"}]");
	outcomes[0]->jobs = 60000;
	outcomes[1]->jobs = PUBLISH_JOBS_MAX - 60000 + 1;
	outcomes[2]->jobs = PUBLISH_JOBS_MAX - 60000;
	published_text_batch(&out, &parcel, NULL);
	assert_int_equal(times("\"job_ids\":null"), 1);
	assert_int_equal(times("\"job_ids\":[\""), 2);
	assert_in_range(out.len, 39 * PUBLISH_JOBS_MAX, 39 * PUBLISH_JOBS_MAX + 1000);
}

static void
test_a_parcel_with_an_event_of_a_deleted_tenant_is_gone(void **state)
{
	publish("[{\"topic\":\"a\"},{\"topic\":\"b\"}]");
	assert_false(published_tenant_is_gone(&parcel));
	outcomes[1]->result = PUBLISH_GONE;
	assert_true(published_tenant_is_gone(&parcel));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_stored_event_lists_its_jobs),
	    cmocka_unit_test(test_a_repeated_event_has_the_first_ones_id_and_times),
	    cmocka_unit_test(test_a_spooled_event_has_null_for_jobs_and_an_unchecked_key),
	    cmocka_unit_test(test_each_event_of_a_batch_has_its_own_result),
	    cmocka_unit_test(test_a_spooled_batch_has_null_for_jobs_and_an_unchecked_key),
	    cmocka_unit_test(test_an_answer_lists_a_limited_number_of_jobs),
	    cmocka_unit_test(test_a_parcel_with_an_event_of_a_deleted_tenant_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
