/* Decides when a recurring condition is logged; counts the occurrences between. */
#include "base/repeat.h"

#define REPEAT_US (REPEAT_SECONDS * INT64_C(1000000))

uint64_t
repeat_met(struct repeat *repeat, int64_t now_us)
{
	uint64_t unlogged = ++repeat->unlogged;

	repeat->met_us = now_us;
	if (repeat->times++ > 0 && now_us - repeat->logged_us < REPEAT_US)
		return 0;
	repeat->logged_us = now_us;
	repeat->unlogged = 0;
	return unlogged;
}

uint64_t
repeat_over(struct repeat *repeat, int64_t now_us)
{
	uint64_t times = repeat->times;

	if (times == 0 || now_us - repeat->met_us < REPEAT_US)
		return 0;
	*repeat = (struct repeat){0};
	return times;
}
