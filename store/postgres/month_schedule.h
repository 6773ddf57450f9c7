/* When a writer reads and makes months again: every hour, when the month changes, and sooner after a problem. */
#ifndef STORE_POSTGRES_MONTH_SCHEDULE_H
#define STORE_POSTGRES_MONTH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define MONTHS_INTERVAL_US (INT64_C(3600) * 1000000)

/* {0}: nothing was read yet, and that is due. */
struct month_schedule {
	int32_t month; /* the current one, as of the last reading (store/postgres/months.h) */
	int64_t due_us; /* steady clock */
};

/* The months are read now; they are due again after MONTHS_INTERVAL_US. */
void month_schedule_restart(struct month_schedule *schedule, int64_t wall_us, int64_t steady_us);

/* They are due at that instant of the steady clock, unless they are due earlier. */
void month_schedule_no_later(struct month_schedule *schedule, int64_t steady_us);

bool month_schedule_due(const struct month_schedule *schedule, int64_t wall_us, int64_t steady_us);

#endif
