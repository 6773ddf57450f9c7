/* Reading and writing numbers with units. */
#include "config/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/sizes.h"

/* Reads the leading digits of text as a number; *rest is the text after them. False: no digits, or overflow. */
static bool
read_digits(const char *text, uint64_t *number, const char **rest)
{
	uint64_t value = 0;

	*rest = text;
	for (; isdigit((unsigned char)**rest); (*rest)++) {
		unsigned digit = (unsigned)(**rest - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return *rest != text;
}

bool
units_read_number(const char *text, uint64_t *value)
{
	const char *rest;

	return read_digits(text, value, &rest) && *rest == '\0';
}

bool
units_read_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = "KMGT";
	static const char *const ends[] = {"", "i", "B", "iB"};
	const char *suffix;

	if (!read_digits(text, bytes, &suffix))
		return false;
	if (*suffix == '\0')
		return true;

	const char *letter = strchr(letters, toupper((unsigned char)*suffix));
	bool known = false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		known |= strcasecmp(suffix + 1, ends[i]) == 0;
	if (letter == NULL || !known)
		return false;
	unsigned shift = 10 * (unsigned)(letter - letters + 1);
	if (*bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

/* From the largest unit to the smallest. */
static const struct {
	const char *suffix;
	uint64_t ms;
} durations[] = {{"h", 60 * 60 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};

#define DURATIONS (sizeof durations / sizeof *durations)

bool
units_read_duration(const char *text, uint64_t unit_ms, uint64_t *units)
{
	const char *suffix;

	if (!read_digits(text, units, &suffix))
		return false;
	if (*suffix == '\0')
		return true;
	for (size_t i = 0; i < DURATIONS; i++) {
		if (strcasecmp(suffix, durations[i].suffix) != 0)
			continue;
		if (*units > UINT64_MAX / durations[i].ms || *units * durations[i].ms % unit_ms != 0)
			return false;
		*units = *units * durations[i].ms / unit_ms;
		return true;
	}
	return false;
}

void
units_format_duration(uint64_t units, uint64_t unit_ms, char *out, size_t size)
{
	uint64_t ms = units * unit_ms;
	size_t i = 0;

	while (i < DURATIONS - 1 && ms % durations[i].ms != 0)
		i++;
	(void)snprintf(out, size, "%" PRIu64 "%s", ms / durations[i].ms, ms == 0 ? "" : durations[i].suffix);
}

bool
units_read_bool(const char *text, bool *value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

void
units_format_size(uint64_t bytes, char *out, size_t size)
{
	if (bytes >= GIB && bytes % GIB == 0)
		(void)snprintf(out, size, "%" PRIu64 "GiB", bytes / GIB);
	else if (bytes >= MIB && bytes % MIB == 0)
		(void)snprintf(out, size, "%" PRIu64 "MiB", bytes / MIB);
	else if (bytes >= KIB && bytes % KIB == 0)
		(void)snprintf(out, size, "%" PRIu64 "KiB", bytes / KIB);
	else
		(void)snprintf(out, size, "%" PRIu64, bytes);
}
