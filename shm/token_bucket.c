/*
 * The word is the instant, in nanoseconds of the steady clock, at which the bucket will be full again. Taking tokens
 * moves it on by the time in which they flow in.
 */
#include "shm/token_bucket.h"

#include <assert.h>
#include <ck_pr.h>

#define SECOND_NS 1000000000ull

static uint64_t
time_of(uint64_t amount, uint64_t per_second)
{
	assert(per_second > 0 && amount <= TOKEN_BUCKET_AMOUNT_MAX);
	return amount * SECOND_NS / per_second;
}

/* In how many microseconds a token is left in a bucket that is full at that instant; 0: now. */
static int64_t
wait_us(uint64_t full_ns, uint64_t per_second, uint64_t now_ns)
{
	uint64_t after_ns = full_ns + time_of(1, per_second);

	return after_ns <= now_ns + SECOND_NS ? 0 : (int64_t)((after_ns - now_ns - SECOND_NS + 999) / 1000);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int64_t
token_bucket_wait_us(const uint64_t *bucket, uint64_t per_second, int64_t now_us)
{
	uint64_t now_ns = (uint64_t)now_us * 1000;

	return wait_us(later(ck_pr_load_64(bucket), now_ns), per_second, now_ns);
}

int64_t
token_bucket_take(uint64_t *bucket, uint64_t per_second, uint64_t amount, int64_t now_us)
{
	uint64_t now_ns = (uint64_t)now_us * 1000, cost_ns = time_of(amount, per_second);
	uint64_t seen = ck_pr_load_64(bucket);

	for (;;) {
		uint64_t full_ns = later(seen, now_ns);
		int64_t wait = wait_us(full_ns, per_second, now_ns);

		if (wait > 0)
			return wait;
		if (ck_pr_cas_64_value(bucket, seen, full_ns + cost_ns, &seen))
			return 0;
	}
}

void
token_bucket_put_back(uint64_t *bucket, uint64_t per_second, uint64_t amount)
{
	uint64_t cost_ns = time_of(amount, per_second), seen = ck_pr_load_64(bucket);

	/* Meanwhile the bucket may have become another key's, and full: below 0 would be full in centuries. */
	while (!ck_pr_cas_64_value(bucket, seen, seen > cost_ns ? seen - cost_ns : 0, &seen))
		;
}
