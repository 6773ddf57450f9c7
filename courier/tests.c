/* A test is identified by its attempt's id, which control has made. */
#include "courier/tests.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct test {
	TAILQ_ENTRY(test) link;
	struct endpoint_name name;
	char *tenant_id, *memory; /* name and the record point into these */
	struct endpoint_config *config;
	uint8_t attempt_id[16];
};

void
tests_open(struct tests *tests, struct http *http, struct store_thread *thread)
{
	tests->http = http;
	tests->thread = thread;
	TAILQ_INIT(&tests->under_way);
}

void
tests_begin(struct tests *tests, struct message *message)
{
	struct test *test = mem_new(1, sizeof *test);
	struct attempt_spec spec = {.endpoint = message->config, .number = 1, .attempt_id = test->attempt_id};

	test->tenant_id = message->tenant_id;
	test->memory = message->memory;
	test->config = message->config;
	message->tenant_id = message->memory = NULL;
	message->config = NULL;
	test->name.tenant_id = test->tenant_id;
	memcpy(test->name.endpoint_id, message->id, sizeof test->name.endpoint_id);
	memcpy(test->attempt_id, message->attempt_id, sizeof test->attempt_id);
	TAILQ_INSERT_TAIL(&tests->under_way, test, link);
	tests->count++;
	spec.event = (const struct record *)(const void *)test->memory;
	memcpy(spec.job_id, spec.event->event_id, sizeof spec.job_id);
	spec.job_id[15] = 1; /* job 1 of the event */
	http_begin(tests->http, &spec);
}

struct test *
tests_find(const struct tests *tests, const uint8_t attempt_id[16])
{
	struct test *test;

	TAILQ_FOREACH(test, &tests->under_way, link)
	if (memcmp(test->attempt_id, attempt_id, sizeof test->attempt_id) == 0)
		return test;
	return NULL;
}

void
tests_cut_off(struct tests *tests, struct test *test)
{
	TAILQ_REMOVE(&tests->under_way, test, link);
	tests->count--;
	endpoint_config_unref(test->config);
	free(test->tenant_id);
	free(test->memory);
	free(test);
}

void
tests_end(struct tests *tests, struct test *test, const struct attempt_result *result)
{
	store_thread_write_test(tests->thread, &test->name, result);
	tests_cut_off(tests, test);
}
