/*
 * Changes that must hold at once: which couriers and nodes the reply waits for, and which one it names when one is
 * late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/propagation.h"
#include "shm/node.h"
#include "store/db_ops.h"

#define VERSION 7
#define COURIERS 2

static struct segment_header header;
static struct courier_slot couriers[COURIERS];
static struct segment segment;
static struct config config;
static struct reply reply;
static unsigned asked; /* how often the store was asked for nodes that are behind */
static unsigned behind_for; /* the store names one in so many of its first answers */
static int store_says;

static int
fake_query(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err)
{
	(void)error_set(err, "gone");
	asked++;
	assert_int_equal(call->params[0].number, VERSION);
	if (store_says != 0)
		return store_says;
	*rows = db_rows_new(1);
	if (asked <= behind_for)
		db_rows_add(*rows, "another", 7);
	return 0;
}

static const struct db_ops ops = {.query = fake_query};

static int
begin(void **state)
{
	memset(&header, 0, sizeof header);
	memset(couriers, 0, sizeof couriers);
	segment = (struct segment){.header = &header};
	segment.slots[ROLE_COURIER] = (char *)couriers;
	segment.counts[ROLE_COURIER] = COURIERS;
	for (uint32_t i = 0; i < PROCESSES_MAX; i++)
		segment.wake_fds[i] = -1;
	for (uint32_t i = 0; i < COURIERS; i++) {
		slot_begin(&couriers[i].process, 100 + (int32_t)i, 1);
		slot_set_state(&couriers[i].process, PROCESS_READY);
		courier_set_seen_version(&couriers[i], VERSION - 1);
	}
	config = (struct config){.hl_store = HL_STORE_POSTGRES, .store_timeout_ms = 5000};
	asked = behind_for = 0;
	store_says = 0;
	return 0;
}

/* Waits as for a change whose reply shows `object`. Returns how long that took, in ms. */
static int64_t
waited(const char *object, int64_t deadline_ms)
{
	struct db db = {.ops = &ops, .config = &config, .deadline_us = INT64_MAX};
	const struct control_context context = {.config = &config, .segment = &segment};
	int64_t began_us = clock_steady_us();
	const struct request request = {.db = &db, .context = &context, .deadline_us = began_us + deadline_ms * 1000};

	bytes_free(&reply.body);
	reply = (struct reply){.status = 200};
	bytes_add_text(&reply.body, object);
	propagation_wait(&request, VERSION, &reply);
	bytes_add(&reply.body, "", 1);
	return (clock_steady_us() - began_us) / 1000;
}

static void
all_have_seen(void)
{
	for (uint32_t i = 0; i < COURIERS; i++)
		courier_set_seen_version(&couriers[i], VERSION);
}

static void
test_the_version_is_raised_for_couriers(void **state)
{
	all_have_seen();
	(void)waited("{}", 1000);
	assert_int_equal(node_changes_version(&header.node), VERSION);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body.base, "{}");
}

static void
test_the_reply_waits_for_no_courier_where_none_delivers(void **state)
{
	segment.counts[ROLE_COURIER] = 0;
	assert_true(waited("{}", 2000) < 1000);
	assert_int_equal(reply.status, 200);
	begin(state);
	slot_end(&couriers[0].process); /* its successor reads the committed rows */
	slot_set_state(&couriers[1].process, PROCESS_DRAINING);
	assert_true(waited("{}", 2000) < 1000);
	assert_int_equal(reply.status, 200);
}

static void *
see_later(void *argument)
{
	nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
	all_have_seen();
	return NULL;
}

static void
test_the_reply_comes_when_the_last_courier_acts_by_the_change(void **state)
{
	pthread_t thread;

	courier_set_seen_version(&couriers[1], VERSION);
	assert_int_equal(pthread_create(&thread, NULL, see_later, NULL), 0);
	assert_true(waited("{\"id\":\"e\"}", 20000) >= 29);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body.base, "{\"id\":\"e\"}");
}

static void
test_a_courier_that_is_late_is_named_by_its_node(void **state)
{
	char name[65] = "", wanted[160];

	(void)gethostname(name, sizeof name - 1);
	courier_set_seen_version(&couriers[0], VERSION);
	assert_true(waited("{\"id\":\"e\"}", 500) >= 190);
	(void)snprintf(wanted, sizeof wanted, "{\"id\":\"e\",\"pending_nodes\":[\"%s\"]}", name);
	assert_int_equal(reply.status, 202);
	assert_string_equal(reply.body.base, wanted);
}

static void
test_the_reply_waits_for_other_nodes_and_names_them(void **state)
{
	all_have_seen();
	behind_for = 2;
	(void)waited("", 20000);
	assert_int_equal(reply.status, 200);
	assert_int_equal(asked, 3);
	behind_for = UINT32_MAX;
	(void)waited("", 400);
	assert_int_equal(reply.status, 202);
	assert_string_equal(reply.body.base, "{\"pending_nodes\":[\"another\"]}");
}

static void
test_the_embedded_store_is_not_asked_for_nodes(void **state)
{
	config.hl_store = HL_STORE_EMBEDDED;
	all_have_seen();
	(void)waited("{}", 1000);
	assert_int_equal(reply.status, 200);
	assert_int_equal(asked, 0);
}

static void
test_the_reply_is_503_when_the_store_goes_away_while_it_waits(void **state)
{
	all_have_seen();
	store_says = -1;
	(void)waited("{\"id\":\"e\"}", 1000);
	assert_int_equal(reply.status, 503);
	assert_true(reply.store_lost);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_the_version_is_raised_for_couriers, begin),
	    cmocka_unit_test_setup(test_the_reply_waits_for_no_courier_where_none_delivers, begin),
	    cmocka_unit_test_setup(test_the_reply_comes_when_the_last_courier_acts_by_the_change, begin),
	    cmocka_unit_test_setup(test_a_courier_that_is_late_is_named_by_its_node, begin),
	    cmocka_unit_test_setup(test_the_reply_waits_for_other_nodes_and_names_them, begin),
	    cmocka_unit_test_setup(test_the_embedded_store_is_not_asked_for_nodes, begin),
	    cmocka_unit_test_setup(test_the_reply_is_503_when_the_store_goes_away_while_it_waits, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
