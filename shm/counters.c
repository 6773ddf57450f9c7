/* Each number has only one writer, so adding needs no locked instruction. */
#include "shm/counters.h"

#include <ck_pr.h>
#include <string.h>

#include "base/clock.h"
#include "shm/segment.h"

#define X(symbol, family, first, last)                                                                                 \
	_Static_assert(last - first + 2 <= HISTOGRAM_BUCKETS_MAX, #symbol " has too many bounds");
HISTOGRAM_LIST(X)
#undef X

/* The first counter of restarts of each role. */
#define R(X, symbol, ...) COUNTER_RESTARTS_##symbol,
static const enum counter restarts[ROLES] = {ROLE_LIST(R, _)};
#undef R

enum counter
counter_of_restarts(enum role role, enum death death)
{
	return restarts[role] + (enum counter)death;
}

void
counter_add(struct process_slot *slot, enum counter counter, uint64_t n)
{
	ck_pr_store_64(&slot->counters[counter], slot->counters[counter] + n);
}

uint64_t
counter_read(const struct process_slot *slot, enum counter counter)
{
	return ck_pr_load_64(&slot->counters[counter]);
}

static uint64_t
lanes_events(const struct segment *segment, enum books books)
{
	uint64_t sum = 0;

	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		sum += segment_lane_books(segment, n) == books ? lane_events(&lane) : 0;
	}
	return sum;
}

/* The sum of a counter over the ledgers of a role. */
static uint64_t
ledgers_count(const struct segment *segment, enum role role, enum counter counter)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < segment->counts[role]; i++)
		sum += ck_pr_load_64(&ledger_page(&segment_writer(segment, role, i)->ledger)->counters[counter]);
	return sum;
}

uint64_t
segment_counter_sum(const struct segment *segment, enum counter counter)
{
	uint64_t sum = segment->header->earlier[counter];

	for (uint32_t i = 0; i < segment_slot_count(segment); i++)
		sum += ck_pr_load_64(&segment_slot_at(segment, i)->counters[counter]);
	if (counter < LEDGER_COUNTERS)
		sum += ledgers_count(segment, ROLE_WRITER, counter);
	else if (counter >= COUNTER_MESSAGES_RECEIVED && counter < COUNTER_MESSAGES_RECEIVED + LEDGER_COUNTERS)
		sum += ledgers_count(segment, ROLE_PUBLISHER, counter - COUNTER_MESSAGES_RECEIVED);
	if (counter == COUNTER_RECEIVED)
		sum += lanes_events(segment, BOOKS_EVENTS);
	else if (counter == COUNTER_MESSAGES_RECEIVED)
		sum += lanes_events(segment, BOOKS_MESSAGES);
	return sum;
}

/* received: the first counter of a ledger. */
static void
count_received_from_outcomes(struct segment_header *header, enum counter received)
{
	header->earlier[received] = 0;
	for (int c = COUNTER_STORED; c <= COUNTER_DISCARDED; c++)
		header->earlier[received] += header->earlier[received + (enum counter)c];
}

void
segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS])
{
	memcpy(header->earlier, counters, sizeof header->earlier);
	count_received_from_outcomes(header, COUNTER_RECEIVED);
	count_received_from_outcomes(header, COUNTER_MESSAGES_RECEIVED);
}

void
counter_add_sync_failure(struct writer_slot *slot)
{
	counter_add(&slot->process, COUNTER_SYNC_FAILURES, 1);
	writer_set_sync_failed_us(slot, clock_wall_us());
}

void
histogram_add(struct process_slot *slot, enum histogram histogram, uint64_t value)
{
	const struct histogram_info *info = &histogram_table[histogram];
	struct histogram_numbers *numbers = &slot->histograms[histogram];
	/* The exponent of the least power of two >= value: a bound belongs to the bucket below it. */
	uint32_t exponent = value <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(value - 1);
	uint32_t bucket;

	if (exponent > info->last)
		exponent = info->last + 1;
	bucket = exponent > info->first ? exponent - info->first : 0;
	ck_pr_store_64(&numbers->buckets[bucket], numbers->buckets[bucket] + 1);
	ck_pr_store_64(&numbers->sum, numbers->sum + value);
}

struct histogram_numbers
segment_histogram_sum(const struct segment *segment, enum histogram histogram)
{
	struct histogram_numbers sum = {0};

	for (uint32_t i = 0; i < segment_slot_count(segment); i++) {
		const struct histogram_numbers *numbers = &segment_slot_at(segment, i)->histograms[histogram];

		for (uint32_t b = 0; b < HISTOGRAM_BUCKETS_MAX; b++)
			sum.buckets[b] += ck_pr_load_64(&numbers->buckets[b]);
		sum.sum += ck_pr_load_64(&numbers->sum);
	}
	return sum;
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

	/* From the ledgers, so that it agrees with their counters. */
	if (level == LEVEL_SPOOL_EVENTS || level == LEVEL_SPOOL_MESSAGES) {
		enum role role = level == LEVEL_SPOOL_EVENTS ? ROLE_WRITER : ROLE_PUBLISHER;

		for (uint32_t i = 0; i < segment->counts[role]; i++)
			sum += ck_pr_load_64(&ledger_page(&segment_writer(segment, role, i)->ledger)->spool_events);
	}
	for (uint32_t i = 0; i < segment_slot_count(segment); i++)
		sum += ck_pr_load_64(&segment_slot_at(segment, i)->levels[level]);
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

	for (uint32_t i = 0; i < segment_slot_count(segment); i++) {
		const struct process_slot *slot = segment_slot_at(segment, i);
		uint64_t set_us = ck_pr_load_64(&slot->gauges_us);

		if (set_us > newest_us) {
			newest = slot;
			newest_us = set_us;
		}
	}
	return newest != NULL ? newest->gauges : NULL;
}
