/* One bit for each month. */
#include "store/postgres/months.h"

#include <assert.h>
#include <string.h>

#include "base/calendar.h"
#include "config/config.h"

_Static_assert(MONTHS_KNOWN >= WINDOW_BACK + 1 + PARTITIONS_AHEAD_MAX, "the window and what is made ahead");
_Static_assert(MONTHS_KNOWN <= 64, "bits in present");

int32_t
month_of(int64_t us)
{
	struct calendar_date date = calendar_date(calendar_day_of(us));

	return date.year * 12 + date.month - 1;
}

int
month_year(int32_t month)
{
	return month / 12;
}

int
month_number(int32_t month)
{
	return month % 12 + 1;
}

/* The month's first instant. */
static int64_t
month_begin(int32_t month)
{
	struct calendar_date first = {month_year(month), month_number(month), 1};

	return calendar_day(first) * CALENDAR_DAY_US;
}

void
months_init(struct months *months, int32_t this_month)
{
	memset(months, 0, sizeof *months);
	months->first = this_month + PARTITIONS_AHEAD_MAX - (MONTHS_KNOWN - 1);
}

bool
months_known(const struct months *months, int32_t month)
{
	return month >= months->first && month < months->first + MONTHS_KNOWN;
}

/* The month's bit; 0 for an unknown month. */
static uint64_t
bit(const struct months *months, int32_t month)
{
	return months_known(months, month) ? UINT64_C(1) << (month - months->first) : 0;
}

void
months_add(struct months *months, int32_t month)
{
	months->present |= bit(months, month);
}

void
months_refuse(struct months *months, int32_t month)
{
	months->refused |= bit(months, month);
}

bool
months_has(const struct months *months, int32_t month)
{
	return (months->present & bit(months, month)) != 0;
}

bool
months_refused(const struct months *months, int32_t month)
{
	return (months->refused & bit(months, month)) != 0;
}

uint32_t
months_in_a_row(const struct months *months, int32_t this_month)
{
	uint32_t count = 0;

	while (months_has(months, this_month + 1 + (int32_t)count))
		count++;
	return count;
}

bool
month_in_window(int32_t month, int32_t received)
{
	return month >= received - WINDOW_BACK && month <= received + WINDOW_AHEAD;
}

enum month_need
months_need(struct months *months, const struct record *record, int32_t *month)
{
	if (record->timestamp_us >= months->cached_from_us && record->timestamp_us < months->cached_until_us)
		return MONTH_IS_THERE;
	*month = month_of(record->timestamp_us);
	if (months_has(months, *month)) {
		months->cached_from_us = month_begin(*month);
		months->cached_until_us = month_begin(*month + 1);
		return MONTH_IS_THERE;
	}
	if (!months_known(months, *month) || !month_in_window(*month, month_of(record->received_us)))
		return MONTH_IS_OUTSIDE;
	return months_refused(months, *month) ? MONTH_IS_REFUSED : MONTH_IS_WANTED;
}
