/* An endpoint with attempts under way always wants the lease, so that no other node gets it before they end. */
#include "courier/lease.h"

/* The lease does not cover attempts that may take longer than its timeout_ms. */
static int64_t
begins_until(const struct lease *lease, uint32_t timeout_ms)
{
	return timeout_ms > lease->timeout_ms ? lease->from_us : lease->from_us + LEASE_BEGIN_US;
}

bool
lease_allows(const struct lease *lease, uint32_t timeout_ms, int64_t now_us)
{
	return lease->state == LEASE_HELD && now_us < begins_until(lease, timeout_ms);
}

static int64_t
asked_at(const struct lease *lease, const struct lease_facts *facts)
{
	int64_t wanted_us = facts->busy ? facts->now_us : facts->settled ? facts->job_us : INT64_MAX;

	if (!facts->needed)
		return INT64_MAX;
	return wanted_us > lease->from_us ? wanted_us : lease->from_us;
}

static int64_t
given_back_at(const struct lease *lease, const struct lease_facts *facts)
{
	int64_t until_us = begins_until(lease, facts->timeout_ms);

	if (facts->busy)
		return INT64_MAX;
	if (!facts->needed)
		return facts->now_us;
	return facts->job_us <= facts->now_us || until_us < lease->idle_us ? until_us : lease->idle_us;
}

int64_t
lease_due_us(const struct lease *lease, const struct lease_facts *facts)
{
	switch (lease->state) {
	case LEASE_NONE:
		return asked_at(lease, facts);
	case LEASE_ASKED:
		return INT64_MAX;
	case LEASE_HELD:
		return given_back_at(lease, facts);
	}
	return INT64_MAX;
}
