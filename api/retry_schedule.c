/* Lists of waits. */
#include "api/retry_schedule.h"

#include <ctype.h>
#include <string.h>

#include "config/units.h"

#define WAIT_TEXT_BYTES 16

bool
retry_wait_read(struct span text, uint32_t *ms)
{
	char copy[WAIT_TEXT_BYTES];
	uint64_t value;

	if (text.len == 0 || text.len >= sizeof copy || isdigit((unsigned char)text.base[text.len - 1]) ||
	    memchr(text.base, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.base, text.len);
	copy[text.len] = '\0';
	if (!units_read_duration(copy, 1, &value) || !retry_wait_in_range(value))
		return false;
	*ms = (uint32_t)value;
	return true;
}

int
retry_schedule_check(struct span text, struct error *err)
{
	const char *at = text.base, *end = text.base + text.len;

	for (int n = 1;; n++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct span wait = {at, (size_t)((comma != NULL ? comma : end) - at)};
		uint32_t ms;

		while (wait.len > 0 && wait.base[0] == ' ')
			wait.base++, wait.len--;
		while (wait.len > 0 && wait.base[wait.len - 1] == ' ')
			wait.len--;
		if (!retry_wait_read(wait, &ms))
			return error_set(err, "needs a wait of 1s to 168h, such as 30s, at place %d", n);
		if (n > RETRY_WAITS_MAX)
			return error_set(err, "has more than %d waits", RETRY_WAITS_MAX);
		if (comma == NULL)
			return 0;
		at = comma + 1;
	}
}
