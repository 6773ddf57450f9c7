/* The generic cell rate algorithm: taking a token moves the instant at which the bucket is full. */
#include "courier/rate.h"

#define SECOND_NS INT64_C(1000000000)
#define BURST_NS (SECOND_NS / 10)

/* Rounded up, so a little slower than the limit. */
int64_t
rate_token_ns(uint32_t per_second, uint32_t parts)
{
	return (SECOND_NS * parts + per_second - 1) / per_second;
}

/* The time that fills an empty bucket. */
static int64_t
burst_ns(int64_t token_ns)
{
	return token_ns > BURST_NS ? token_ns : BURST_NS;
}

void
rate_empty(struct rate *rate, int64_t token_ns, int64_t at_us)
{
	int64_t full_ns = at_us * 1000 + burst_ns(token_ns);

	if (rate->full_ns < full_ns)
		rate->full_ns = full_ns;
}

int64_t
rate_due_us(const struct rate *rate, int64_t token_ns)
{
	return (rate->full_ns + token_ns - burst_ns(token_ns) + 999) / 1000;
}

void
rate_take(struct rate *rate, int64_t token_ns, int64_t now_us)
{
	int64_t now_ns = now_us * 1000;

	rate->full_ns = (rate->full_ns > now_ns ? rate->full_ns : now_ns) + token_ns;
}
