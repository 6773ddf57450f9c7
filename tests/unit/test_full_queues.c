/* The list of tenants whose queue is full: acceptors read it while control writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "shm/full_queues.h"

#define ROUNDS 20000

static struct full_queues queues;

static void
test_a_tenant_is_found_while_it_is_in_the_list(void **state)
{
	static const uint64_t three[] = {7, 8, 9}, two[] = {9, 10};

	full_queues_set(&queues, NULL, 0);
	assert_false(full_queues_have(&queues, 7));
	full_queues_set(&queues, three, 3);
	assert_true(full_queues_have(&queues, 7) && full_queues_have(&queues, 8) && full_queues_have(&queues, 9));
	assert_false(full_queues_have(&queues, 10));
	full_queues_set(&queues, two, 2);
	assert_true(full_queues_have(&queues, 9) && full_queues_have(&queues, 10));
	assert_false(full_queues_have(&queues, 7) || full_queues_have(&queues, 8));
}

static void
test_the_list_holds_full_queues_most_tenants(void **state)
{
	static uint64_t all[FULL_QUEUES_MOST];

	for (uint32_t i = 0; i < FULL_QUEUES_MOST; i++)
		all[i] = i + 1;
	full_queues_set(&queues, all, FULL_QUEUES_MOST);
	assert_true(full_queues_have(&queues, 1) && full_queues_have(&queues, FULL_QUEUES_MOST));
	queues.count = UINT32_MAX; /* a damaged segment */
	assert_false(full_queues_have(&queues, FULL_QUEUES_MOST + 1));
	queues.count = 0;
}

/* Writes long and short lists of even numbers. */
static void *
change(void *stop)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t list[16];
		uint32_t count = round % 17;

		for (uint32_t i = 0; i < count; i++)
			list[i] = 2 * ((uint64_t)round * 7 + i) + 2;
		full_queues_set(&queues, list, count);
	}
	__atomic_store_n((bool *)stop, true, __ATOMIC_RELEASE);
	return NULL;
}

static void
test_a_tenant_that_is_in_no_list_is_never_found(void **state)
{
	static bool stop;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, change, &stop), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		for (uint64_t odd = 1; odd < 100; odd += 2)
			assert_false(full_queues_have(&queues, odd));
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_tenant_is_found_while_it_is_in_the_list),
	    cmocka_unit_test(test_the_list_holds_full_queues_most_tenants),
	    cmocka_unit_test(test_a_tenant_that_is_in_no_list_is_never_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
