/*
 * A condition that recurs with each retry. It is logged when it begins, then at most every REPEAT_SECONDS with its
 * count, and once when it is over. The caller writes the lines:
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
	uint64_t times; /* occurrences since the condition began */
	uint64_t unlogged; /* occurrences since the last line */
	int64_t met_us, logged_us; /* steady clock: last occurrence, last line */
};

/*
 * Counts one occurrence. Returns the number of occurrences since the last line if a new line is due, else 0. now_us:
 * steady clock.
 */
uint64_t repeat_met(struct repeat *repeat, int64_t now_us);

/*
 * Called periodically. If the condition has not occurred for REPEAT_SECONDS, it is over: returns its total count once.
 * Otherwise 0.
 */
uint64_t repeat_over(struct repeat *repeat, int64_t now_us);

#endif
