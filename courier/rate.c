/* The generic cell rate algorithm: taking a token moves the instant at which the bucket is full. */
#include "courier/rate.h"

#define SECOND_NS INT64_C(1000000000)
#define BURST_NS (SECOND_NS / 10)

/* The time in which one token flows in. Rounded up: rather a little slower than the limit. */
static int64_t
token_ns(uint32_t per_second)
{
	return (SECOND_NS + per_second - 1) / per_second;
}

/* The time in which an empty bucket is filled. */
static int64_t
burst_ns(uint32_t per_second)
{
	int64_t token = token_ns(per_second);

	return token > BURST_NS ? token : BURST_NS;
}

void
rate_empty(struct rate *rate, uint32_t per_second, int64_t at_us)
{
	int64_t full_ns = at_us * 1000 + burst_ns(per_second);

	if (rate->full_ns < full_ns)
		rate->full_ns = full_ns;
}

int64_t
rate_due_us(const struct rate *rate, uint32_t per_second)
{
	return (rate->full_ns + token_ns(per_second) - burst_ns(per_second) + 999) / 1000;
}

void
rate_take(struct rate *rate, uint32_t per_second, int64_t now_us)
{
	int64_t now_ns = now_us * 1000;

	rate->full_ns = (rate->full_ns > now_ns ? rate->full_ns : now_ns) + token_ns(per_second);
}
