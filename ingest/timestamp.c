/* Reads string forms with a cursor, and numbers as scaled integers. */
#include "ingest/timestamp.h"

#include <stdbool.h>

#include "base/calendar.h"

#define SENTENCE "Input should be a valid datetime, "

static const char bad_form[] =
    SENTENCE "expected YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS[.ffffff]] with Z, +HH:MM or nothing";
static const char bad_numeric[] = SENTENCE "a number in a string is ambiguous: send epoch seconds as a JSON number";
#define BAD_RANGE SENTENCE "years before 0001 and after 9999 (UTC) are not supported"

static const char bad_range[] = BAD_RANGE;
static const char bad_epoch[] = BAD_RANGE ": send seconds or milliseconds";

struct cursor {
	const char *at;
	const char *end;
};

static bool
take(struct cursor *c, const char *any_of)
{
	for (; *any_of != '\0'; any_of++)
		if (c->at < c->end && *c->at == *any_of) {
			c->at++;
			return true;
		}
	return false;
}

static bool
is_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* Exactly count digits. */
static bool
take_digits(struct cursor *c, int count, int *value)
{
	*value = 0;
	for (int i = 0; i < count; i++) {
		if (!is_digit(c))
			return false;
		*value = *value * 10 + (*c->at++ - '0');
	}
	return true;
}

/* Takes one or more digits after the point. Ignores those after the sixth. */
static bool
take_fraction(struct cursor *c, int *us)
{
	int unit = 100000;

	*us = 0;
	if (!is_digit(c))
		return false;
	for (; is_digit(c); c->at++, unit /= 10)
		*us += (*c->at - '0') * unit;
	return true;
}

/* Z, +HH, +HHMM, +HH:MM, or nothing. */
static bool
take_offset(struct cursor *c, int *hours, int *minutes, int *sign)
{
	*hours = *minutes = 0;
	*sign = c->at < c->end && *c->at == '-' ? -1 : 1;
	if (!take(c, "+-")) {
		(void)take(c, "Zz");
		return true;
	}
	if (!take_digits(c, 2, hours))
		return false;
	if (take(c, ":") || is_digit(c))
		return take_digits(c, 2, minutes);
	return true;
}

static bool
is_numeric(const char *text, size_t len)
{
	struct cursor c = {text, text + len};
	const char *start;

	(void)take(&c, "+-");
	start = c.at;
	while (is_digit(&c))
		c.at++;
	if (c.at > start && take(&c, "."))
		while (is_digit(&c))
			c.at++;
	return c.at > start && c.at == c.end;
}

const char *
timestamp_parse(const char *text, size_t len, int64_t *us)
{
	struct cursor c = {text, text + len};
	int year, month, day, hour = 0, minute = 0, second = 0, fraction = 0;
	int offset_hours = 0, offset_minutes = 0, offset_sign = 1;
	int64_t seconds, result;

	if (is_numeric(text, len))
		return bad_numeric;
	if (!take_digits(&c, 4, &year) || !take(&c, "-") || !take_digits(&c, 2, &month) || !take(&c, "-") ||
	    !take_digits(&c, 2, &day))
		return bad_form;
	if (take(&c, "Tt _")) {
		if (!take_digits(&c, 2, &hour) || !take(&c, ":") || !take_digits(&c, 2, &minute))
			return bad_form;
		if (take(&c, ":")) {
			if (!take_digits(&c, 2, &second))
				return bad_form;
			if (take(&c, ".,") && !take_fraction(&c, &fraction))
				return bad_form;
		}
		if (!take_offset(&c, &offset_hours, &offset_minutes, &offset_sign))
			return bad_form;
	}
	if (c.at != c.end)
		return bad_form;

	if (year < 1)
		return bad_range;
	if (month < 1 || month > 12)
		return SENTENCE "month value is outside expected range of 1-12";
	if (day < 1 || day > calendar_month_length(year, month))
		return SENTENCE "day value is outside expected range";
	if (hour > 23)
		return SENTENCE "hour value is outside expected range of 0-23";
	if (minute > 59)
		return SENTENCE "minute value is outside expected range of 0-59";
	if (second > 60)
		return SENTENCE "second value is outside expected range of 0-60";
	if (offset_hours > 23 || offset_minutes > 59)
		return SENTENCE "timezone offset must be less than 24 hours";

	seconds = calendar_day((struct calendar_date){year, month, day}) * INT64_C(86400) + hour * 3600 + minute * 60 +
		  second;
	seconds -= offset_sign * (offset_hours * 3600 + offset_minutes * 60);
	result = seconds * 1000000 + fraction;
	if (result < TIMESTAMP_MIN_US || result > TIMESTAMP_MAX_US)
		return bad_range;
	*us = result;
	return NULL;
}

/* digits * 10^exponent, rounded to the nearest; above TIMESTAMP_MAX_US if out of range. */
static int64_t
scale(uint64_t digits, int exponent)
{
	const uint64_t too_much = (uint64_t)TIMESTAMP_MAX_US + 1;

	if (exponent < 0) {
		for (; exponent < -1 && digits > 0; exponent++)
			digits /= 10;
		digits = digits / 10 + (digits % 10 >= 5);
	}
	for (; exponent > 0 && digits > 0 && digits < too_much; exponent--)
		digits *= 10;
	return (int64_t)(digits < too_much ? digits : too_much);
}

const char *
timestamp_parse_number(const char *text, size_t len, int64_t *us)
{
	const uint64_t watershed_us = 20000000000 * (uint64_t)1000000;
	struct cursor c = {text, text + len};
	bool negative = take(&c, "-");
	bool fraction = false;
	uint64_t digits = 0;
	int exponent = 0, written = 0, kept = 0;
	int64_t result;

	/*
	 * Nineteen significant digits fit and suffice: eighteen express every microsecond in range, one more decides
	 * the rounding. Later digits only move the point.
	 */
	for (; is_digit(&c) || (!fraction && c.at < c.end && *c.at == '.'); c.at++) {
		if (*c.at == '.') {
			fraction = true;
			continue;
		}
		if (kept < 19) {
			digits = digits * 10 + (uint64_t)(*c.at - '0');
			kept += digits > 0;
			exponent -= fraction;
		} else {
			exponent += !fraction;
		}
	}
	if (take(&c, "eE")) {
		bool down = c.at < c.end && *c.at == '-';

		(void)take(&c, "+-");
		for (; is_digit(&c); c.at++)
			if (written < 100000000)
				written = written * 10 + (*c.at - '0');
		exponent += down ? -written : written;
	}

	result = scale(digits, exponent + 6);
	if ((uint64_t)result > watershed_us)
		result = scale(digits, exponent + 3);
	if (negative)
		result = -result;
	if (result < TIMESTAMP_MIN_US || result > TIMESTAMP_MAX_US)
		return bad_epoch;
	*us = result;
	return NULL;
}
