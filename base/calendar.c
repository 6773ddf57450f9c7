/*
 * The calendar in 400-year eras that begin on March 1st, so that the leap day ends a year (Howard Hinnant,
 * "chrono-compatible low-level date algorithms"). Days count from 0000-03-01 here, so that no number is negative.
 */
#include "base/calendar.h"

#include <stdbool.h>

#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

struct calendar_date
calendar_date(int32_t day)
{
	uint32_t count = (uint32_t)(day + EPOCH_DAYS);
	uint32_t era = count / ERA_DAYS, day_of_era = count % ERA_DAYS;
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t months_since_march = (5 * day_of_year + 2) / 153;
	uint32_t month = months_since_march < 10 ? months_since_march + 3 : months_since_march - 9;

	return (struct calendar_date){
	    .year = (int)(era * 400 + year_of_era + (month <= 2)),
	    .month = (int)month,
	    .day = (int)(day_of_year - (153 * months_since_march + 2) / 5 + 1),
	};
}

int32_t
calendar_day(struct calendar_date date)
{
	uint32_t year = (uint32_t)(date.year - (date.month <= 2));
	uint32_t era = year / 400, year_of_era = year % 400;
	uint32_t months_since_march = (uint32_t)(date.month > 2 ? date.month - 3 : date.month + 9);
	uint32_t day_of_year = (153 * months_since_march + 2) / 5 + (uint32_t)date.day - 1;
	uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int32_t)(era * ERA_DAYS + day_of_era) - EPOCH_DAYS;
}

int
calendar_month_length(int year, int month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return lengths[month - 1] + (month == 2 && leap);
}
