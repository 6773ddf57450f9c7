/*
 * The word is the time, in nanoseconds of the steady clock, at which the bucket will be full again. Taking tokens moves
 * it forward by the time that refills them.
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

/* Microseconds until a bucket that will be full at full_ns has a token; 0: now. */
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

	/*
	 * The slot may belong to another key by now, with a full bucket (0). Stop at 0: an underflow would be a debt of
	 * centuries.
	 */
	while (!ck_pr_cas_64_value(bucket, seen, seen > cost_ns ? seen - cost_ns : 0, &seen))
		;
}
