/* The queue between control's loop and its workers: bounded, in order, and safe for a call that is taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"
#include "control/call_queue.h"

#define CALLS 20000
#define TAKERS 4

static void
test_calls_come_out_in_order_and_no_more_go_in_than_fit(void **state)
{
	struct call_queue queue;
	struct call calls[3];

	call_queue_init(&queue, 2);
	assert_null(call_queue_take(&queue, 0));
	assert_true(call_queue_put(&queue, &calls[0]));
	assert_true(call_queue_put(&queue, &calls[1]));
	assert_false(call_queue_put(&queue, &calls[2]));
	assert_int_equal(call_queue_count(&queue), 2);
	assert_ptr_equal(call_queue_take(&queue, INT64_MAX), &calls[0]);
	assert_true(call_queue_put(&queue, &calls[2]));
	assert_ptr_equal(call_queue_take(&queue, INT64_MAX), &calls[1]);
	assert_ptr_equal(call_queue_take(&queue, INT64_MAX), &calls[2]);
	assert_null(call_queue_take(&queue, 0));
}

static void
test_a_call_is_taken_back_from_any_place_once(void **state)
{
	for (int place = 0; place < 3; place++) {
		struct call_queue queue;
		struct call calls[4];

		call_queue_init(&queue, 10);
		for (int i = 0; i < 3; i++)
			assert_true(call_queue_put(&queue, &calls[i]));
		assert_true(call_queue_remove(&queue, &calls[place]));
		assert_false(call_queue_remove(&queue, &calls[place]));
		assert_true(call_queue_put(&queue, &calls[3]));
		for (int i = 0; i < 4; i++)
			if (i != place)
				assert_ptr_equal(call_queue_take(&queue, INT64_MAX), &calls[i]);
		assert_int_equal(call_queue_count(&queue), 0);
	}
}

static void
test_a_wait_ends_at_its_time_and_when_the_queue_is_closed(void **state)
{
	int64_t begin = clock_steady_us();
	struct call_queue queue;
	struct call call;

	call_queue_init(&queue, 2);
	assert_null(call_queue_take(&queue, begin + 20000));
	assert_true(clock_steady_us() - begin >= 20000);
	assert_true(call_queue_put(&queue, &call));
	call_queue_close(&queue);
	assert_true(call_queue_closed(&queue));
	assert_null(call_queue_take(&queue, INT64_MAX));
	assert_false(call_queue_put(&queue, &call));
}

static void *
take_all(void *argument)
{
	struct call_queue *queue = argument;
	uintptr_t taken = 0;

	while (call_queue_take(queue, INT64_MAX) != NULL)
		taken++;
	return (void *)taken;
}

static void
test_every_call_is_taken_by_one_thread_or_taken_back(void **state)
{
	static struct call calls[CALLS];
	struct call_queue queue;
	pthread_t threads[TAKERS];
	uintptr_t taken = 0;

	call_queue_init(&queue, CALLS);
	for (int i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, &queue), 0);
	for (int i = 0; i < CALLS; i++) {
		assert_true(call_queue_put(&queue, &calls[i]));
		if (i % 3 == 0)
			taken += call_queue_remove(&queue, &calls[i]);
	}
	while (call_queue_count(&queue) > 0)
		;
	call_queue_close(&queue);
	for (int i = 0; i < TAKERS; i++) {
		void *by_thread;

		assert_int_equal(pthread_join(threads[i], &by_thread), 0);
		taken += (uintptr_t)by_thread;
	}
	assert_int_equal(taken, CALLS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calls_come_out_in_order_and_no_more_go_in_than_fit),
	    cmocka_unit_test(test_a_call_is_taken_back_from_any_place_once),
	    cmocka_unit_test(test_a_wait_ends_at_its_time_and_when_the_queue_is_closed),
	    cmocka_unit_test(test_every_call_is_taken_by_one_thread_or_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
