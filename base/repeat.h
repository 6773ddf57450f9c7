/*
 * A condition that is met each time when something is tried again. It is logged when it begins, then at most every
 * REPEAT_SECONDS with the number of times, and once when it is over. The caller writes the lines:
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
	uint64_t unlogged; /* of those times: since the last line */
	int64_t met_us, logged_us; /* steady, the last time */
};

/*
 * Called when the condition is met. If a line is due now, returns how often it was met since the last line, else 0.
 * now_us: steady clock.
 */
uint64_t repeat_met(struct repeat *repeat, int64_t now_us);

/*
 * Called now and then. A condition that has not been met for REPEAT_SECONDS is over: returns how many times it was met,
 * once. Else 0.
 */
uint64_t repeat_over(struct repeat *repeat, int64_t now_us);

#endif
