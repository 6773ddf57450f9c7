/* One word of a slot is the time until which its process may be silent. The functions compare it with the clock. */
#include "shm/heartbeat.h"

#include <ck_pr.h>

#include "base/clock.h"

#define PERIOD_LEAST_MS 250
#define PERIOD_MOST_MS 5000
#define LATE_PERIODS 3

int64_t
heartbeat(struct process_slot *slot, uint32_t silent_seconds)
{
	int64_t now = clock_steady_us();

	ck_pr_store_64(&slot->alive_until_us, (uint64_t)now + (uint64_t)silent_seconds * 1000000);
	return now;
}

int32_t
heartbeat_period_ms(uint32_t stuck_after_seconds)
{
	/* A quarter, so that a short overload makes no process late. */
	uint64_t quarter_ms = (uint64_t)stuck_after_seconds * 1000 / 4;

	if (stuck_after_seconds == 0 || quarter_ms > PERIOD_MOST_MS)
		return PERIOD_MOST_MS;
	return quarter_ms < PERIOD_LEAST_MS ? PERIOD_LEAST_MS : (int32_t)quarter_ms;
}

void
heartbeat_of_master(struct segment_header *header, int64_t now_us)
{
	ck_pr_store_64(&header->alive_until_us, (uint64_t)now_us);
}

static bool
late(const uint64_t *alive_until_us, uint32_t stuck_after_seconds, int64_t now_us)
{
	int64_t late_us = now_us - (int64_t)ck_pr_load_64(alive_until_us);

	return late_us > LATE_PERIODS * 1000 * (int64_t)heartbeat_period_ms(stuck_after_seconds);
}

bool
heartbeat_late(const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t now_us)
{
	return late(&slot->alive_until_us, stuck_after_seconds, now_us);
}

bool
heartbeat_late_of_master(const struct segment_header *header, uint32_t stuck_after_seconds, int64_t now_us)
{
	return late(&header->alive_until_us, stuck_after_seconds, now_us);
}

bool
heartbeat_missed(const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t granted_us, int64_t now_us)
{
	int64_t until_us = (int64_t)ck_pr_load_64(&slot->alive_until_us);

	if (until_us < granted_us)
		until_us = granted_us;
	return stuck_after_seconds != 0 && now_us - until_us > (int64_t)stuck_after_seconds * 1000000;
}
