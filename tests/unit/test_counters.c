/* Numbers in the slots: counters add up over all processes, of gauges the newest count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "shm/segment.h"

#define PROCESSES 3

static struct process_slot slots[PROCESSES];
static struct segment_header header;
static const struct segment segment = {.header = &header, .processes = slots, .acceptors = 1, .writers = PROCESSES - 1};

static int
set_up(void **state)
{
	memset(slots, 0, sizeof slots);
	memset(&header, 0, sizeof header);
	return 0;
}

static void
test_counters_add_up(void **state)
{
	for (int i = 0; i < PROCESSES; i++) {
		counter_add(&slots[i], COUNTER_STORED, 1u << i);
		counter_add(&slots[i], COUNTER_STORED, 100);
	}
	ledger_draft(&slots[1].ledger)->counters[COUNTER_STORED] = 1000;
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 307);
	ledger_commit(&slots[1].ledger);
	header.earlier[COUNTER_STORED] = 10000;
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 11307);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_DUPLICATES), 0);
}

/* Each later than the one before, by the clock that gauges are compared by. */
static void
set_rows(struct process_slot *slot, uint64_t rows)
{
	const int64_t before = clock_steady_us();

	while (clock_steady_us() == before)
		;
	gauges_set(slot, (const uint64_t[GAUGES]){[GAUGE_DEFAULT_PARTITION_ROWS] = rows});
}

static void
test_the_newest_gauges_count(void **state)
{
	assert_null(segment_gauges(&segment));
	set_rows(&slots[1], 5);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 5);
	set_rows(&slots[2], 3);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 3);
	set_rows(&slots[1], 0);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 0);
}

static void
test_every_number_has_a_name_and_a_help(void **state)
{
	for (int i = 0; i < COUNTERS + GAUGES; i++) {
		const struct counter_info *info = i < COUNTERS ? &counter_table[i] : &gauge_table[i - COUNTERS];

		assert_true(strlen(info->name) > 0 && strlen(info->help) > 0);
		for (int j = 0; j < i && j < COUNTERS; j++)
			assert_string_not_equal(info->name, counter_table[j].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_counters_add_up, set_up),
	    cmocka_unit_test_setup(test_the_newest_gauges_count, set_up),
	    cmocka_unit_test(test_every_number_has_a_name_and_a_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
