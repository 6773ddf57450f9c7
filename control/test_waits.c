/* A test without a row has ended: its result was stored in the transaction that removed the row. */
#include "control/test_waits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/deliveries.h"
#include "control/filters.h"
#include "control/tree.h"
#include "shm/node.h"
#include "store/webhooks/attempt_lists.h"
#include "store/webhooks/test_rows.h"
#include "store/webhooks_store.h"

#define LOOK_US (15 * 1000)
#define LOOK_MOST_US (1000 * 1000)
#define RETRY_US (200 * 1000) /* while the store is unavailable */

/* ---- replies ---- */

static void
answer_late(struct call *call)
{
	const char *id = call->reply.attempt_id;
	char text[128];
	int len = snprintf(
	    text, sizeof text, "the attempt has not ended by now: GET /v1/deliveries/%s shows it when it has", id);
	const struct span sentence = {text, (size_t)len};
	cJSON *tree = tree_new();

	tree_add_text(tree, "error", (struct span){"timeout", strlen("timeout")});
	tree_add_text(tree, "detail", sentence);
	tree_add_text(tree, "message", sentence);
	tree_add_text(tree, "attempt_id", (struct span){id, strlen(id)});
	answer_json(&call->reply, 504, tree);
}

/* As db_query(). */
static int
answer_ended(struct db *db, struct call *call, struct error *err)
{
	const char *id = call->reply.attempt_id, *tenant_id = call->request.caller.tenant_id.base;
	struct db_rows *rows;
	int rc = attempt_lists_get(db, tenant_id, id, time_range_of_id(id), &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0)
		answer_json(&call->reply, 200, delivery_show(tenant_id, rows, 0));
	else
		answer_error(&call->reply, 409, "conflict",
		    "the attempt was not stored: the store refuses it, or the tenant is deleted");
	db_rows_free(rows);
	return 0;
}

/* ---- a look ---- */

static bool
still_runs(const struct db_rows *rows, const char *attempt_id)
{
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		if (strcmp(db_rows_text(rows, row, TEST_COLUMN_ATTEMPT).base, attempt_id) == 0)
			return true;
	return false;
}

/* The calls that wait now; each stays in the list until it is answered. */
struct waiting {
	struct call *calls[TEST_WAITS_MOST * 2];
	uint32_t count;
	int64_t until_us; /* the earliest deadline */
};

static struct waiting
copy_list(struct test_waits *waits)
{
	struct waiting waiting = {.until_us = INT64_MAX};

	pthread_mutex_lock(&waits->lock);
	for (struct call *call = waits->first; call != NULL && waiting.count < TEST_WAITS_MOST * 2; call = call->next) {
		waiting.calls[waiting.count++] = call;
		if (waits->ending)
			call->reply.open_until_us = 0;
		if (call->reply.open_until_us < waiting.until_us)
			waiting.until_us = call->reply.open_until_us;
	}
	pthread_mutex_unlock(&waits->lock);
	return waiting;
}

static void
give_back(struct test_waits *waits, struct call *call)
{
	struct call **link;

	pthread_mutex_lock(&waits->lock);
	for (link = &waits->first; *link != call; link = &(*link)->next)
		;
	*link = call->next;
	waits->count--;
	pthread_mutex_unlock(&waits->lock);
	waits->done(waits->context, call);
}

/*
 * Lists the tests of this node that have rows; NULL: unknown. Does not begin after until_us. Has its own deadline, so
 * that the end of one test's time does not cut off the look for the others. As db_query().
 */
static int
read_rows(struct test_waits *waits, struct db **db, int64_t until_us, struct db_rows **rows, struct error *err)
{
	struct node_row node;
	int rc;

	if (clock_steady_us() >= until_us || !node_read(&waits->segment->header->node, &node))
		return 0;
	if (*db == NULL) {
		rc = db_open(db, waits->config, waits->env, err);
		if (rc != 0) {
			*db = NULL;
			return rc;
		}
	}
	db_set_deadline(*db, clock_steady_us() + LOOK_MOST_US);
	return test_rows_list(*db, node.node_id, rows, err);
}

/* Makes a look. Calls that arrive after the copy of the list wait for the next look. Returns when that is due. */
static int64_t
check_tests(struct test_waits *waits, struct db **db)
{
	struct waiting waiting = copy_list(waits);
	struct db_rows *rows = NULL;
	struct error err;
	int rc = waiting.count > 0 ? read_rows(waits, db, waiting.until_us, &rows, &err) : 0;

	for (uint32_t i = 0; i < waiting.count; i++) {
		struct call *call = waiting.calls[i];

		if (rc == 0 && rows != NULL && !still_runs(rows, call->reply.attempt_id))
			rc = answer_ended(*db, call, &err);
		if (call->reply.status == 0 && clock_steady_us() >= call->reply.open_until_us)
			answer_late(call);
		if (call->reply.status != 0)
			give_back(waits, call);
	}
	db_rows_free(rows);
	return clock_steady_us() + (rc == 0 ? LOOK_US : RETRY_US);
}

/* ---- the thread ---- */

/* Sleeps until until_us, or until there is a call. false: the thread must end. */
static bool
sleep_until(struct test_waits *waits, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	bool stopping;
	int rc = 0;

	pthread_mutex_lock(&waits->lock);
	while (!waits->stopping && waits->first == NULL)
		(void)pthread_cond_wait(&waits->changed, &waits->lock);
	while (!waits->stopping && !waits->ending && rc == 0)
		rc = pthread_cond_clockwait(&waits->changed, &waits->lock, CLOCK_MONOTONIC, &until);
	stopping = waits->stopping;
	pthread_mutex_unlock(&waits->lock);
	return !stopping;
}

static void *
run(void *argument)
{
	struct test_waits *waits = argument;
	struct db *db = NULL;
	int64_t next_us = 0;

	while (sleep_until(waits, next_us))
		next_us = check_tests(waits, &db);
	db_close(db);
	return NULL;
}

int
test_waits_start(struct test_waits *waits, struct error *err)
{
	waits->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	waits->changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	errno = pthread_create(&waits->thread, NULL, run, waits);
	return errno == 0 ? 0 : error_errno(err, "cannot start a thread");
}

enum test_waits_room
test_waits_room(struct test_waits *waits, const char *tenant_id)
{
	uint32_t of_tenant = 0, count;

	pthread_mutex_lock(&waits->lock);
	count = waits->count;
	for (const struct call *call = waits->first; call != NULL; call = call->next)
		of_tenant += strcmp(call->request.caller.tenant_id.base, tenant_id) == 0;
	pthread_mutex_unlock(&waits->lock);
	if (of_tenant >= TEST_WAITS_TENANT_MOST)
		return TEST_WAITS_TENANT_FULL;
	return count < TEST_WAITS_MOST ? TEST_WAITS_ROOM : TEST_WAITS_FULL;
}

void
test_waits_add(struct test_waits *waits, struct call *call)
{
	pthread_mutex_lock(&waits->lock);
	call->next = waits->first;
	waits->first = call;
	waits->count++;
	(void)pthread_cond_signal(&waits->changed);
	pthread_mutex_unlock(&waits->lock);
}

void
test_waits_end(struct test_waits *waits)
{
	pthread_mutex_lock(&waits->lock);
	waits->ending = true;
	(void)pthread_cond_signal(&waits->changed);
	pthread_mutex_unlock(&waits->lock);
}

bool
test_waits_stop(struct test_waits *waits, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	pthread_mutex_lock(&waits->lock);
	waits->stopping = true;
	(void)pthread_cond_signal(&waits->changed);
	pthread_mutex_unlock(&waits->lock);
	return pthread_clockjoin_np(waits->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}
