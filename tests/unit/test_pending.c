/* Requests that wait for their events, and which state of a lane lets them be answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/pending.h"
#include "tests/unit/lane_fixture.h"

static struct pending_queue queue;

/* The queue never follows the pointers that it holds. */
static struct exchange *
request(uintptr_t number)
{
	return (struct exchange *)number;
}

static void
push(uintptr_t number, uint32_t position)
{
	pending_push(&queue, (struct pending){.exchange = request(number), .position = position});
}

static int
empty_queue(void **state)
{
	free(queue.items);
	queue = (struct pending_queue){0};
	return 0;
}

/* Publishes a parcel for which a client waits. Returns its position. */
static uint32_t
publish(const struct lane *lane)
{
	size_t available;
	char *space = lane_reserve(lane, &available);

	assert_non_null(space);
	memset(space, 0, 64);
	return lane_publish(lane, 64, 1, LANE_AWAITED);
}

static void
test_requests_leave_in_the_order_of_their_arrival(void **state)
{
	uintptr_t in = 1, out = 1;

	/* Three requests come for two that leave: the queue wraps around while it grows. */
	while (in <= 3000) {
		for (int i = 0; i < 3; i++, in++)
			push(in, (uint32_t)in);
		for (int i = 0; i < 2; i++, out++)
			assert_ptr_equal(pending_pop(&queue).exchange, request(out));
	}
	for (; out < in; out++) {
		struct pending item = pending_pop(&queue);

		assert_ptr_equal(item.exchange, request(out));
		assert_int_equal(item.position, out);
	}
	assert_int_equal(queue.count, 0);
}

static void
test_a_request_is_due_once_its_parcel_is_released(void **state)
{
	/* The positions wrap around between the parcels. */
	struct lane lane = lane_over_memory(8, 65536, UINT32_MAX - 1, 0);
	uint32_t first = publish(&lane), second = publish(&lane), third = publish(&lane);

	assert_false(pending_due(&queue, &lane));
	push(1, first);
	push(2, second);
	push(3, third);
	assert_false(pending_due(&queue, &lane));
	lane_release(&lane, second);
	assert_true(pending_due(&queue, &lane));
	(void)pending_pop(&queue);
	assert_true(pending_due(&queue, &lane));
	(void)pending_pop(&queue);
	assert_false(pending_due(&queue, &lane));
	lane_release(&lane, third);
	assert_true(pending_due(&queue, &lane));
}

static void
test_a_request_is_due_once_its_parcel_is_refused(void **state)
{
	struct lane lane = lane_over_memory(8, 65536, 0, 0);
	uint32_t first = publish(&lane), second = publish(&lane);

	push(1, first);
	push(2, second);
	(void)lane_refuse(&lane, first);
	assert_true(pending_due(&queue, &lane));
	assert_true((lane_flags(&lane, first) & LANE_REFUSED) != 0);
	(void)pending_pop(&queue);
	assert_false(pending_due(&queue, &lane));
}

static void
test_a_request_is_due_out_of_order_once_its_parcel_is_finished(void **state)
{
	struct lane lane = lane_over_memory(8, 65536, UINT32_MAX - 1, 0);
	uint32_t positions[4];
	struct pending item;

	for (uintptr_t i = 0; i < 4; i++) {
		positions[i] = publish(&lane);
		push(i + 1, positions[i]);
	}
	lane_mark(&lane, positions[2] - 1, LANE_FINISHED);
	assert_false(pending_due(&queue, &lane));
	queue.any_order = true;
	assert_true(pending_due(&queue, &lane));
	assert_true(pending_take(&queue, &lane, &item));
	assert_ptr_equal(item.exchange, request(3));
	assert_false(pending_take(&queue, &lane, &item));
	lane_release(&lane, positions[3]);
	for (uintptr_t i = 0; i < 3; i++) {
		assert_true(pending_take(&queue, &lane, &item));
		assert_ptr_equal(item.exchange, request(i < 2 ? i + 1 : 4));
	}
	assert_false(pending_due(&queue, &lane));
}

static void
test_many_finished_requests_leave_in_order_and_the_others_stay(void **state)
{
	struct lane lane = lane_over_memory(1024, 1 << 20, UINT32_MAX - 100, 0);
	uint32_t positions[600], expected = 0;
	struct pending item;

	queue.any_order = true;
	for (uint32_t i = 0; i < 600; i++) {
		positions[i] = publish(&lane);
		push(i, positions[i]);
	}
	for (uint32_t i = 1; i < 600; i++) /* the oldest one would be due in any case */
		if (i % 7 != 0)
			lane_mark(&lane, positions[i] - 1, LANE_FINISHED);
	for (uint32_t i = 1; i < 600; i++)
		if (i % 7 != 0) {
			assert_true(pending_take(&queue, &lane, &item));
			assert_ptr_equal(item.exchange, request(i));
			assert_int_equal(item.position, positions[i]);
		}
	assert_false(pending_take(&queue, &lane, &item));
	lane_mark(&lane, positions[7] - 1, LANE_FINISHED); /* a parcel that was looked at before */
	assert_true(pending_take(&queue, &lane, &item));
	assert_ptr_equal(item.exchange, request(7));
	lane_release(&lane, positions[599]);
	for (; expected < 600; expected += expected == 0 ? 14 : 7) {
		assert_true(pending_take(&queue, &lane, &item));
		assert_ptr_equal(item.exchange, request(expected));
	}
	assert_false(pending_take(&queue, &lane, &item));
}

/* The store does not answer. Clients whose events are stored must not be told that they are refused. */
static void
test_a_finished_parcel_is_not_refused(void **state)
{
	struct lane lane = lane_over_memory(8, 65536, 0, 0);
	uint32_t first = publish(&lane), second = publish(&lane);

	lane_mark(&lane, second - 1, LANE_FINISHED);
	assert_int_equal(lane_refuse(&lane, second), second);
	assert_int_equal(lane_flags(&lane, first), LANE_AWAITED | LANE_REFUSED);
	assert_int_equal(lane_flags(&lane, second), LANE_AWAITED | LANE_FINISHED);
}

static void
test_a_request_in_doubt_is_due_once_it_is_dismissed(void **state)
{
	struct lane lane = lane_over_memory(8, 65536, 0, 0);
	uint32_t first = publish(&lane);

	push(1, first);
	lane_set_flag(&lane, first, LANE_IN_DOUBT, true);
	assert_false(pending_due(&queue, &lane));
	(void)lane_refuse(&lane, first);
	assert_true(pending_due(&queue, &lane));
	assert_true((lane_flags(&lane, first) & LANE_DISMISSED) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_requests_leave_in_the_order_of_their_arrival, empty_queue),
	    cmocka_unit_test_teardown(test_a_request_is_due_once_its_parcel_is_released, empty_queue),
	    cmocka_unit_test_teardown(test_a_request_is_due_once_its_parcel_is_refused, empty_queue),
	    cmocka_unit_test_teardown(test_a_request_is_due_out_of_order_once_its_parcel_is_finished, empty_queue),
	    cmocka_unit_test_teardown(test_many_finished_requests_leave_in_order_and_the_others_stay, empty_queue),
	    cmocka_unit_test_teardown(test_a_finished_parcel_is_not_refused, empty_queue),
	    cmocka_unit_test_teardown(test_a_request_in_doubt_is_due_once_it_is_dismissed, empty_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
