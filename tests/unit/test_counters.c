/* Numbers in the slots: counters and histograms are summed over all processes; of gauges the newest value counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "shm/counters.h"
#include "shm/metrics.h"
#include "shm/segment.h"

#define PROCESSES 3

static struct process_slot acceptor;
static struct writer_slot writers[PROCESSES - 1];
static struct process_slot *const slots[PROCESSES] = {&acceptor, &writers[0].process, &writers[1].process};
static struct segment_header header;
static const struct segment segment = {
    .header = &header,
    .slots = {[ROLE_ACCEPTOR] = (char *)&acceptor, [ROLE_WRITER] = (char *)writers},
    .counts = {[ROLE_ACCEPTOR] = 1, [ROLE_WRITER] = PROCESSES - 1},
};

static int
set_up(void **state)
{
	memset(&acceptor, 0, sizeof acceptor);
	memset(writers, 0, sizeof writers);
	memset(&header, 0, sizeof header);
	return 0;
}

static void
test_counters_are_summed_over_all_processes(void **state)
{
	for (int i = 0; i < PROCESSES; i++) {
		counter_add(slots[i], COUNTER_STORED, 1u << i);
		counter_add(slots[i], COUNTER_STORED, 100);
	}
	ledger_draft(&writers[0].ledger)->counters[COUNTER_STORED] = 1000;
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 307);
	ledger_commit(&writers[0].ledger);
	header.earlier[COUNTER_STORED] = 10000;
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 11307);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_DUPLICATES), 0);
}

/* Waits until the steady clock has moved: it decides which gauge is the newest. */
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
	set_rows(slots[1], 5);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 5);
	set_rows(slots[2], 3);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 3);
	set_rows(slots[1], 0);
	assert_int_equal(segment_gauges(&segment)[GAUGE_DEFAULT_PARTITION_ROWS], 0);
}

static void
test_a_value_on_a_bound_is_counted_in_the_bucket_below(void **state)
{
	const struct histogram_info *info = &histogram_table[HISTOGRAM_COMMIT];
	const uint32_t over = info->last - info->first + 1;
	struct histogram_numbers sum;

	histogram_add(slots[0], HISTOGRAM_COMMIT, 0);
	for (uint32_t b = 0; b < over; b++) {
		histogram_add(slots[b % PROCESSES], HISTOGRAM_COMMIT, UINT64_C(1) << (info->first + b));
		histogram_add(slots[b % PROCESSES], HISTOGRAM_COMMIT, (UINT64_C(1) << (info->first + b)) + 1);
	}
	histogram_add(slots[1], HISTOGRAM_COMMIT, UINT64_C(1) << 40);
	sum = segment_histogram_sum(&segment, HISTOGRAM_COMMIT);
	for (uint32_t b = 0; b <= over; b++)
		assert_int_equal(sum.buckets[b], 2);
	assert_int_equal(
	    sum.sum, 2 * ((UINT64_C(2) << info->last) - (UINT64_C(1) << info->first)) + over + (UINT64_C(1) << 40));
}

/* Every number has a family of its kind, so that it is exposed. */
static void
test_every_number_belongs_to_a_family_of_its_kind(void **state)
{
	for (int c = 0; c < COUNTERS; c++)
		assert_int_equal(family_table[counter_table[c].family].kind, KIND_COUNTER);
	for (int g = 0; g < GAUGES; g++)
		assert_int_equal(family_table[gauge_table[g].family].kind, KIND_GAUGE);
	for (int l = 0; l < LEVELS; l++)
		assert_int_equal(family_table[level_table[l].family].kind, KIND_GAUGE);
	for (int h = 0; h < HISTOGRAMS; h++)
		assert_int_equal(family_table[histogram_table[h].family].kind, KIND_HISTOGRAM);
}

static uint64_t numbers[ROLES];

static void
note_number(void *context, const struct metrics_sample *sample)
{
	for (int r = 0; r < ROLES; r++)
		if (strstr(sample->labels, role_table[r].name) != NULL)
			numbers[r] = sample->value;
	(*(uint32_t *)context)++;
}

static void
test_processes_that_are_not_ready_are_counted_by_role(void **state)
{
	uint32_t samples = 0;

	for (int i = 0; i < PROCESSES; i++)
		slot_set_state(slots[i], PROCESS_READY);
	slot_set_state(slots[1], PROCESS_STARTING);
	metrics_each(&segment, FAMILY_PROCESSES_NOT_READY, note_number, &samples);
	assert_int_equal(samples, ROLES);
	assert_int_equal(numbers[ROLE_ACCEPTOR], 0);
	assert_int_equal(numbers[ROLE_WRITER], 1);
	assert_int_equal(numbers[ROLE_CONTROL], 0); /* there is no control process */
	slot_end(slots[2]);
	metrics_each(&segment, FAMILY_PROCESSES_NOT_READY, note_number, &samples);
	assert_int_equal(numbers[ROLE_WRITER], 2);
}

static void
test_cpu_time_includes_that_of_dead_predecessors(void **state)
{
	struct usage usage = {.cpu_us = UINT64_C(5000000000)};

	usage_begin(&usage);
	usage_update(&usage, clock_steady_us());
	assert_true(usage.cpu_us >= UINT64_C(5000000000));
	assert_true(usage.resident_bytes > 0);
	usage_begin(&usage);
	usage_update(&usage, clock_steady_us());
	assert_true(usage.cpu_us >= UINT64_C(5000000000));
	assert_true(usage.earlier_us >= UINT64_C(5000000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_counters_are_summed_over_all_processes, set_up),
	    cmocka_unit_test_setup(test_the_newest_gauges_count, set_up),
	    cmocka_unit_test_setup(test_a_value_on_a_bound_is_counted_in_the_bucket_below, set_up),
	    cmocka_unit_test(test_every_number_belongs_to_a_family_of_its_kind),
	    cmocka_unit_test_setup(test_processes_that_are_not_ready_are_counted_by_role, set_up),
	    cmocka_unit_test(test_cpu_time_includes_that_of_dead_predecessors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
