/* A directory for the node's file, a segment, and the courier's store thread; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/routing.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/store_thread_fixture.h"

static char data_dir[] = "/tmp/hooks-store-thread-XXXXXX", schedule[] = "5s,30s";
struct segment segment;
struct lane lane;
struct store_thread *thread;

static struct error err;

void
start(void)
{
	if (store_thread_start(&thread, &db_config, &segment, 0, &err) != 0)
		fail_msg("%s", err.text);
}

void
stop(void)
{
	assert_true(store_thread_stop(thread, clock_steady_us() + 5 * SECOND_US));
	thread = NULL;
}

struct message *
next_message(int64_t until_us)
{
	struct pollfd fd = {.fd = store_thread_fd(thread), .events = POLLIN};
	struct message *message;

	while ((message = store_thread_take_message(thread)) == NULL && clock_steady_us() < until_us)
		(void)poll(&fd, 1, 100);
	return message;
}

struct message *
await_any(void)
{
	struct message *message = next_message(clock_steady_us() + 5 * SECOND_US);

	assert_non_null(message);
	return message;
}

struct message *
await(enum message_kind kind)
{
	int64_t until_us = clock_steady_us() + 5 * SECOND_US;
	struct message *message;

	while ((message = next_message(until_us)) != NULL && message->kind != kind)
		message_free(message);
	if (message == NULL)
		fail_msg("no message of kind %d", (int)kind);
	return message;
}

void
await_and_free(enum message_kind kind)
{
	message_free(await(kind));
}

int
store_thread_set_up(void **state)
{
	assert_non_null(mkdtemp(data_dir));
	int rc = jobs_set_up(state);

	db_config.data_dir = data_dir;
	db_config.hl_retry_schedule = schedule;
	return rc;
}

int
store_thread_tear_down(void **state)
{
	static const char *const files[] = {"hl-node", "hl-store"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[128];

		(void)snprintf(path, sizeof path, "%s/%s", data_dir, files[i]);
		(void)unlink(path);
	}
	return jobs_tear_down(state) | rmdir(data_dir);
}

int
store_thread_begin(void **state)
{
	segment = courier_segment_open(1);
	lane = courier_segment_outcomes(&segment, 0);
	return jobs_new_tenant(state);
}

int
store_thread_end(void **state)
{
	if (thread != NULL)
		stop();
	courier_segment_close(&segment);
	return 0;
}

void
rest(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

struct endpoint_name
name_of(uint8_t endpoint)
{
	struct endpoint_name name = {.tenant_id = jobs_tenant};

	memcpy(name.endpoint_id, endpoint_id(endpoint), 16);
	return name;
}

void
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

int64_t
wait_for(const char *sql, int64_t expected)
{
	int64_t until_us = clock_steady_us() + 5 * SECOND_US, count;

	while ((count = tenant_count(sql)) != expected && clock_steady_us() < until_us)
		rest();
	return count;
}
