/* The tables behind the names, and the numbers in the slots: plain stores by their one writer, plain loads by all. */
#include "shm/counters.h"

#include <string.h>

#include "base/clock.h"
#include "shm/segment.h"

const struct counter_info counter_table[COUNTERS] = {
#define X(symbol, name, help) {name, help},
    COUNTER_LIST(X)
#undef X
};

const struct counter_info gauge_table[GAUGES] = {
#define X(symbol, name, help) {name, help},
    GAUGE_LIST(X)
#undef X
};

const struct counter_info level_table[LEVELS] = {
#define X(symbol, name, help) {name, help},
    LEVEL_LIST(X)
#undef X
};

void
counter_add(struct process_slot *slot, enum counter counter, uint64_t n)
{
	ck_pr_store_64(&slot->counters[counter], slot->counters[counter] + n);
}

static uint64_t
lanes_events(const struct segment *segment)
{
	uint64_t sum = 0;

	for (uint32_t a = 0; a < segment->acceptors; a++)
		for (uint32_t w = 0; w < segment->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);

			sum += lane_events(&lane);
		}
	return sum;
}

uint64_t
segment_counter_sum(const struct segment *segment, enum counter counter)
{
	uint64_t sum = segment->header->earlier[counter];

	for (uint32_t i = 0; i < segment->acceptors + segment->writers; i++)
		sum += ck_pr_load_64(&segment->processes[i].counters[counter]);
	for (uint32_t w = 0; counter < LEDGER_COUNTERS && w < segment->writers; w++)
		sum += ck_pr_load_64(&ledger_page(&segment_writer(segment, w)->ledger)->counters[counter]);
	if (counter == COUNTER_RECEIVED)
		sum += lanes_events(segment);
	return sum;
}

void
segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS])
{
	memcpy(header->earlier, counters, sizeof header->earlier);
	header->earlier[COUNTER_RECEIVED] = 0;
	for (int c = COUNTER_STORED; c <= COUNTER_DAMAGED; c++)
		header->earlier[COUNTER_RECEIVED] += counters[c];
}

void
level_set(struct process_slot *slot, enum level level, uint64_t value)
{
	ck_pr_store_64(&slot->levels[level], value);
}

uint64_t
segment_level_sum(const struct segment *segment, enum level level)
{
	uint64_t sum = 0;

	/* In step with the counters. */
	for (uint32_t w = 0; level == LEVEL_SPOOL_EVENTS && w < segment->writers; w++)
		sum += ck_pr_load_64(&ledger_page(&segment_writer(segment, w)->ledger)->spool_events);
	for (uint32_t i = 0; i < segment->acceptors + segment->writers; i++)
		sum += ck_pr_load_64(&segment->processes[i].levels[level]);
	return sum;
}

void
gauges_set(struct process_slot *slot, const uint64_t values[GAUGES])
{
	for (int g = 0; g < GAUGES; g++)
		ck_pr_store_64(&slot->gauges[g], values[g]);
	ck_pr_store_64(&slot->gauges_us, (uint64_t)clock_steady_us());
}

const uint64_t *
segment_gauges(const struct segment *segment)
{
	const struct process_slot *newest = NULL;
	uint64_t newest_us = 0;

	for (uint32_t i = 0; i < segment->acceptors + segment->writers; i++) {
		const struct process_slot *slot = &segment->processes[i];
		uint64_t set_us = ck_pr_load_64(&slot->gauges_us);

		if (set_us > newest_us) {
			newest = slot;
			newest_us = set_us;
		}
	}
	return newest != NULL ? newest->gauges : NULL;
}
