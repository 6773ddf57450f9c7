/* Lists of waits. */
#include "config/retry_schedule.h"

#include <ctype.h>
#include <string.h>

#include "config/units.h"

#define LIFETIME_MS_LEAST (24ll * 60 * 60 * 1000)
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

/* Removes the first wait from the list, with its comma; base is NULL after the last. False: it is no wait. */
static bool
take_wait(struct span *text, uint32_t *ms)
{
	const char *end = text->base + text->len, *comma = memchr(text->base, ',', text->len);
	struct span wait = {text->base, (size_t)((comma != NULL ? comma : end) - text->base)};

	*text = comma != NULL ? (struct span){comma + 1, (size_t)(end - comma - 1)} : (struct span){NULL, 0};
	while (wait.len > 0 && wait.base[0] == ' ')
		wait.base++, wait.len--;
	while (wait.len > 0 && wait.base[wait.len - 1] == ' ')
		wait.len--;
	return retry_wait_read(wait, ms);
}

int
retry_schedule_check(struct span text, struct error *err)
{
	for (int n = 1; text.base != NULL; n++) {
		uint32_t ms;

		if (!take_wait(&text, &ms))
			return error_set(err, "needs a wait of 1s to 168h, such as 30s, at place %d", n);
		if (n > RETRY_WAITS_MAX)
			return error_set(err, "has more than %d waits", RETRY_WAITS_MAX);
	}
	return 0;
}

uint32_t
retry_schedule_read(struct span text, uint32_t ms[RETRY_WAITS_MAX])
{
	uint32_t count = 0;

	while (text.base != NULL && count < RETRY_WAITS_MAX && take_wait(&text, &ms[count]))
		count++;
	return count;
}

int64_t
retry_lifetime_ms(const uint32_t *ms, uint32_t count)
{
	int64_t sum_ms = 0;

	for (uint32_t i = 0; i < count; i++)
		sum_ms += ms[i];
	sum_ms += sum_ms / 2;
	return sum_ms > LIFETIME_MS_LEAST ? sum_ms : LIFETIME_MS_LEAST;
}
