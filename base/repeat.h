/*
 * A condition that is met at the rate at which something is tried again: told when it begins, then at most every
 * REPEAT_SECONDS with the number of times, and once when it is over. The lines are the caller's:
 *
 *   if ((times = repeat_met(&full, now)) > 0)
 *           log_warning("cannot do it", LOG_UINT("times", times));
 *   ...
 *   if ((times = repeat_over(&full, now)) > 0)
 *           log_info("it can be done again", LOG_UINT("times", times));
 */
#ifndef BASE_REPEAT_H
#define BASE_REPEAT_H

#include <stdint.h>

#define REPEAT_SECONDS 10 /* longer than any pause between two tries */

struct repeat { /* all zero: the condition does not hold */
	uint64_t times; /* since it began */
	uint64_t untold;
	int64_t met_us, told_us; /* steady, the last time */
};

/*
 * The condition is met. Returns how often since the last line about it if a line is due now, else 0. now_us is the steady
 * clock's.
 */
uint64_t repeat_met(struct repeat *repeat, int64_t now_us);

/*
 * To be asked now and then. If the condition held and has not been met for REPEAT_SECONDS it is over: returns how many
 * times it was met, once. Else 0.
 */
uint64_t repeat_over(struct repeat *repeat, int64_t now_us);

#endif
