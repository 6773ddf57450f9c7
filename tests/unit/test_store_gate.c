/*
 * Which thread may use the webhooks' store: one thread tries while the store is away. At the start the other threads
 * wait for its result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/store_gate.h"

static const struct error refused = {.text = "connection refused"};

static void
begin(struct store_gate *gate, struct store_report *report, enum store_state state)
{
	memset(report, 0, sizeof *report);
	store_report_set_state(report, state);
	store_gate_init(gate, report);
}

static void
test_one_thread_tries_a_store_that_is_away_and_others_do_not_wait(void **state)
{
	struct store_report report;
	struct store_gate gate;
	char text[ERROR_TEXT_MAX];

	begin(&gate, &report, STORE_CONNECTING);
	assert_int_equal(store_gate_try_at(&gate), 0);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_TRY);
	assert_int_equal(store_gate_try_at(&gate), INT64_MAX);
	store_gate_failed(&gate, &refused);
	assert_int_equal(store_report_state(&report), STORE_CONNECTING);
	store_report_error(&report, text);
	assert_string_equal(text, "connection refused");

	/* A pause, in which no thread tries. */
	assert_true(store_gate_try_at(&gate) > clock_steady_us());
	assert_int_equal(store_gate_ask(&gate, INT64_MAX), STORE_GATE_SHUT);
	while (store_gate_ask(&gate, 0) != STORE_GATE_TRY)
		;
	assert_int_equal(store_gate_ask(&gate, INT64_MAX), STORE_GATE_SHUT);
	store_gate_worked(&gate);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_OPEN);
	assert_int_equal(store_report_state(&report), STORE_READY);
	store_report_error(&report, text);
	assert_string_equal(text, "");
}

static void
test_a_lost_store_is_tried_at_once_and_counts_as_reached(void **state)
{
	struct store_report report;
	struct store_gate gate;

	begin(&gate, &report, STORE_CONNECTING);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_TRY);
	store_gate_worked(&gate);
	store_gate_failed(&gate, &refused);
	assert_int_equal(store_report_state(&report), STORE_UNAVAILABLE);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_TRY);
	store_gate_failed(&gate, &refused);
	assert_int_equal(store_report_state(&report), STORE_UNAVAILABLE);

	/* A store that the predecessor has reached is unavailable, not new. */
	begin(&gate, &report, STORE_READY);
	assert_int_equal(store_report_state(&report), STORE_UNAVAILABLE);
}

static void
test_a_connection_that_is_refused_shuts_the_gate_only_when_there_is_no_other(void **state)
{
	struct store_report report;
	struct store_gate gate;

	begin(&gate, &report, STORE_CONNECTING);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_TRY);
	store_gate_worked(&gate);
	assert_true(store_gate_refused(&gate, &refused));
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_OPEN);
	assert_int_equal(store_report_state(&report), STORE_READY);
	store_gate_closed(&gate);
	assert_false(store_gate_refused(&gate, &refused));
	assert_int_equal(store_report_state(&report), STORE_UNAVAILABLE);
}

static void *
ask_and_wait(void *gate)
{
	return (void *)(uintptr_t)store_gate_ask(gate, clock_steady_us() + 10 * 1000 * 1000);
}

static void
test_at_the_start_other_threads_wait_for_the_first_try(void **state)
{
	struct store_report report;
	struct store_gate gate;
	pthread_t thread;
	void *way;

	begin(&gate, &report, STORE_READY);
	assert_int_equal(store_gate_ask(&gate, 0), STORE_GATE_TRY);
	assert_int_equal(store_gate_ask(&gate, clock_steady_us() + 1000), STORE_GATE_SHUT);
	assert_int_equal(pthread_create(&thread, NULL, ask_and_wait, &gate), 0);
	store_gate_worked(&gate);
	assert_int_equal(pthread_join(thread, &way), 0);
	assert_int_equal((uintptr_t)way, STORE_GATE_OPEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_thread_tries_a_store_that_is_away_and_others_do_not_wait),
	    cmocka_unit_test(test_a_lost_store_is_tried_at_once_and_counts_as_reached),
	    cmocka_unit_test(test_a_connection_that_is_refused_shuts_the_gate_only_when_there_is_no_other),
	    cmocka_unit_test(test_at_the_start_other_threads_wait_for_the_first_try),
	};

	log_init("test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
