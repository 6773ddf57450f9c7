/* The month goes by the wall clock, because the partitions do; the intervals go by the steady one. */
#include "store/postgres/month_schedule.h"

#include "store/postgres/months.h"

void
month_schedule_restart(struct month_schedule *schedule, int64_t wall_us, int64_t steady_us)
{
	*schedule = (struct month_schedule){.month = month_of(wall_us), .due_us = steady_us + MONTHS_INTERVAL_US};
}

void
month_schedule_no_later(struct month_schedule *schedule, int64_t steady_us)
{
	if (steady_us < schedule->due_us)
		schedule->due_us = steady_us;
}

bool
month_schedule_due(const struct month_schedule *schedule, int64_t wall_us, int64_t steady_us)
{
	return steady_us >= schedule->due_us || month_of(wall_us) != schedule->month;
}
