/* An endpoint's schedule is a text like HL_RETRY_SCHEDULE, or a list of such waits and whole milliseconds. */
#include "store/webhooks/job_lifetime.h"

#include <string.h>

#include "config/retry_schedule.h"
#include "event/json_number.h"
#include "event/json_string.h"
#include "event/scan.h"

#define SCHEDULE_BYTES_MAX (RETRY_WAITS_MAX * 16)

static bool
read_wait(const struct json *value, uint32_t *ms)
{
	char text[32];
	size_t len;
	json_number number;

	if (value->type == JSON_NUMBER) {
		if (!json_number_read((struct span){value->text, value->len}, &number) ||
		    !(number >= RETRY_WAIT_MS_LEAST && number <= RETRY_WAIT_MS_MOST))
			return false;
		*ms = (uint32_t)number;
		return true;
	}
	if (value->type != JSON_STRING)
		return false;
	len = json_string_decode(value, text, sizeof text);
	return len != JSON_STRING_TOO_LONG && retry_wait_read((struct span){text, len}, ms);
}

/* Reads the endpoint's own schedule. false: it cannot be read. */
static bool
read_schedule(struct span schedule, uint32_t ms[RETRY_WAITS_MAX], uint32_t *count)
{
	char text[SCHEDULE_BYTES_MAX];
	struct scan scan;
	struct json value;
	struct error err;
	enum scan_step step = SCAN_FAILED;
	bool first = true;

	*count = 0;
	if (!scan_begin(&scan, schedule.base, schedule.len))
		return false;
	if (*scan.at == '"') {
		size_t len =
		    scan_value(&scan, &value) ? json_string_decode(&value, text, sizeof text) : JSON_STRING_TOO_LONG;

		if (len == JSON_STRING_TOO_LONG || retry_schedule_check((struct span){text, len}, &err) != 0)
			return false;
		*count = retry_schedule_read((struct span){text, len}, ms);
		return true;
	}
	if (*scan.at == '[')
		while ((step = scan_element(&scan, &first)) == SCAN_ELEMENT)
			if (*count == RETRY_WAITS_MAX || !scan_value(&scan, &value) ||
			    !read_wait(&value, &ms[(*count)++]))
				return false;
	return step == SCAN_CLOSED;
}

int64_t
job_lifetime_ms(const struct config *config, struct span schedule, uint32_t attempts)
{
	uint32_t ms[RETRY_WAITS_MAX], count;

	if (schedule.base == NULL || !read_schedule(schedule, ms, &count)) {
		const char *standard = config->hl_retry_schedule;

		count = retry_schedule_read((struct span){standard, strlen(standard)}, ms);
		if (attempts == 0)
			attempts = config->hl_retry_max_attempts;
	}
	if (attempts > 0 && count >= attempts)
		count = attempts - 1;
	return retry_lifetime_ms(ms, count);
}
