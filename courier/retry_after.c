/* Parses Retry-After: seconds by hand, dates by libcurl. */
#include "courier/retry_after.h"

#include <ctype.h>
#include <string.h>

#include <curl/curl.h>

#define DATE_BYTES_MAX 63 /* "Wednesday, 31-Dec-97 23:59:59 GMT" has 33 */

/* Clamps ms to the range. */
static int64_t
in_range(int64_t ms)
{
	if (ms < RETRY_AFTER_LEAST_MS)
		return RETRY_AFTER_LEAST_MS;
	return ms > RETRY_AFTER_MOST_MS ? RETRY_AFTER_MOST_MS : ms;
}

/* At least one digit. */
static int64_t
read_seconds(struct span digits)
{
	int64_t seconds = 0;

	for (size_t i = 0; i < digits.len; i++) {
		if (!isdigit((unsigned char)digits.base[i]))
			return -1;
		if (seconds <= RETRY_AFTER_MOST_MS)
			seconds = seconds * 10 + (digits.base[i] - '0');
	}
	return in_range(seconds * 1000);
}

static int64_t
read_date(struct span value, int64_t now_us)
{
	char text[DATE_BYTES_MAX + 1];
	time_t date;

	/* curl_getdate() accepts texts that are no dates of HTTP. All three forms begin with a weekday. */
	if (value.len > DATE_BYTES_MAX || !isalpha((unsigned char)value.base[0]) ||
	    memchr(value.base, ':', value.len) == NULL)
		return -1;
	memcpy(text, value.base, value.len);
	text[value.len] = '\0';
	date = curl_getdate(text, NULL);
	return date == -1 ? -1 : in_range(((int64_t)date - now_us / 1000000) * 1000);
}

int64_t
retry_after_read(struct span value, int64_t now_us)
{
	struct span digits = value;

	if (value.len == 0)
		return -1;
	if (isdigit((unsigned char)value.base[0]))
		return read_seconds(value);
	if (value.base[0] != '-')
		return read_date(value, now_us);
	digits.base++;
	digits.len--;
	return digits.len > 0 && read_seconds(digits) >= 0 ? RETRY_AFTER_LEAST_MS : -1;
}
