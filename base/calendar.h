/*
 * Days and dates of the proleptic Gregorian calendar in UTC, by arithmetic alone: neither the C library's time zones
 * nor the locale matter. Pure.
 */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include <stdint.h>

#define CALENDAR_DAY_US (INT64_C(86400) * 1000000)

struct calendar_date {
	int year; /* 1 to 9999 */
	int month; /* 1 to 12 */
	int day; /* 1 to 31 */
};

/* The day of an instant, in days since 1970-01-01; us is microseconds since then. Days before 1970 are negative. */
static inline int32_t
calendar_day_of(int64_t us)
{
	return (int32_t)(us / CALENDAR_DAY_US - (us % CALENDAR_DAY_US < 0));
}

/* The date of a day between 0001-01-01 and 9999-12-31. */
struct calendar_date calendar_date(int32_t day);

/* The day of a date. It must exist; the first days of year 10000 are also right. */
int32_t calendar_day(struct calendar_date date);

/* The number of days in that month: 28 to 31. */
int calendar_month_length(int year, int month);

#endif
