/*
 * A clock that a test sets. The program's clock_gettime(2) replaces the C library's, so that base/clock.h follows it.
 * All clocks show the same time. Include it in one file of the program.
 */
#ifndef TESTS_FAKE_CLOCK_H
#define TESTS_FAKE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SECOND ((int64_t)1000000)
#define MILLISECOND ((int64_t)1000)

static int64_t fake_now_us = 1000 * SECOND;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	*ts = (struct timespec){.tv_sec = fake_now_us / SECOND, .tv_nsec = fake_now_us % SECOND * 1000};
	return 0;
}

#endif
