/* Formatting without printf: this runs once or more per event. */
#include "base/format.h"

#include <string.h>

#include "base/json_run.h"

static const char hex_digits[] = "0123456789abcdef";

void
format_uuid(const uint8_t id[16], char out[FORMAT_UUID_BYTES])
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex_digits[id[i] >> 4];
		*out++ = hex_digits[id[i] & 15];
	}
}

static char *
put_digits(char *out, uint32_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + digits;
}

void
format_time(int64_t us, char out[FORMAT_TIME_BYTES])
{
	int64_t days = us / 86400000000, rest = us % 86400000000;

	if (rest < 0) {
		rest += 86400000000;
		days--;
	}

	/*
	 * The proleptic Gregorian calendar by 400-year eras that begin on March 1st, so that the leap day is the last day
	 * of a year (Howard Hinnant, "chrono-compatible low-level date algorithms"). Year 0001 and later: days count up
	 * from 0000-03-01, which is 719468 days before 1970-01-01.
	 */
	uint32_t z = (uint32_t)(days + 719468);
	uint32_t era = z / 146097, day_of_era = z % 146097;
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t shifted_month = (5 * day_of_year + 2) / 153;
	uint32_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
	uint32_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
	uint32_t year = era * 400 + year_of_era + (month <= 2);
	uint32_t seconds = (uint32_t)(rest / 1000000);

	out = put_digits(out, year, 4);
	*out++ = '-';
	out = put_digits(out, month, 2);
	*out++ = '-';
	out = put_digits(out, day, 2);
	*out++ = 'T';
	out = put_digits(out, seconds / 3600, 2);
	*out++ = ':';
	out = put_digits(out, seconds / 60 % 60, 2);
	*out++ = ':';
	out = put_digits(out, seconds % 60, 2);
	*out++ = '.';
	out = put_digits(out, (uint32_t)(rest % 1000000), 6);
	*out = 'Z';
}

/* The escape of a quote, a backslash or a control character. */
static char *
put_escape(char *out, unsigned char c)
{
	*out++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*out++ = (char)c;
		return out;
	case '\n':
		*out++ = 'n';
		return out;
	case '\r':
		*out++ = 'r';
		return out;
	case '\t':
		*out++ = 't';
		return out;
	default:
		out = mempcpy(out, "u00", 3);
		*out++ = hex_digits[c >> 4];
		*out++ = hex_digits[c & 15];
		return out;
	}
}

char *
format_json_string(char *out, const char *text, size_t len)
{
	const char *end = text + len;

	*out++ = '"';
	/* By runs instead of by bytes: a quarter of the cost of a line of JSONL. */
	while (text < end) {
		const char *stop = plain_end(text, end);

		out = mempcpy(out, text, (size_t)(stop - text));
		text = stop;
		if (text < end && (unsigned char)*text < 0x80)
			out = put_escape(out, (unsigned char)*text++);
		while (text < end && (unsigned char)*text >= 0x80)
			*out++ = *text++;
	}
	*out++ = '"';
	return out;
}
