/* Thin names over clock_gettime(2), which cannot fail for these clocks. */
#include "base/clock.h"

#include <time.h>

static int64_t
now_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int64_t
clock_steady_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t
clock_boot_us(void)
{
	return now_us(CLOCK_BOOTTIME);
}

int32_t
clock_wait_ms(int64_t due_us, int64_t now_us, int32_t most_ms)
{
	int64_t ms = (due_us - now_us + 999) / 1000;

	if (ms <= 0)
		return 0;
	return ms < most_ms ? (int32_t)ms : most_ms;
}
