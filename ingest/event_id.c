/*
 * Placeholders are compared exactly, because "none" may be a real id. So may "0", but not 16 or more zeros: an unset
 * span id of OpenTelemetry, ObjectId, ULID or KSUID.
 */
#include "ingest/event_id.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "ingest/headers.h"

#define ZEROS_MIN 16

static bool
is_placeholder(const char *text, size_t len)
{
	static const char *const placeholders[] = {"undefined", "null", "NULL", "None", "nil", "<nil>", "NaN", "nan",
	    "(null)", "(nil)", "<null>", "<no value>", "%!s(<nil>)", "[object Object]"};
	size_t at = 0;

	if (len >= ZEROS_MIN && text[0] == '0' && memcmp(text, text + 1, len - 1) == 0)
		return true;
	while (at < len && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r')))
		at++;
	if (at == len)
		return true;
	for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++)
		if (len == strlen(placeholders[i]) && memcmp(text, placeholders[i], len) == 0)
			return true;
	return false;
}

/* Nil or max: all bytes are 00, or all are ff. */
static bool
is_special(const uint8_t id[16])
{
	return (id[0] == 0 || id[0] == 0xff) && memcmp(id, id + 1, 15) == 0;
}

enum event_id_kind
event_id_read(const char *text, size_t len, uint8_t id[16])
{
	if (len == 0)
		return EVENT_ID_NONE;
	if (uuid_parse(text, len, id))
		return is_special(id) ? EVENT_ID_NONE : EVENT_ID_UUID;
	if (is_placeholder(text, len))
		return EVENT_ID_NONE;
	uuid_v5(uuid_client_ids, text, len, id);
	return EVENT_ID_TEXT;
}

void
event_id_of_key(struct span key, uint32_t index, uint8_t id[16])
{
	assert(key.len <= IDEMPOTENCY_KEY_MAX);

	char text[IDEMPOTENCY_KEY_MAX + sizeof "/4294967295"];
	int len = snprintf(text, sizeof text, "%.*s/%u", (int)key.len, key.base, index);

	uuid_v5(uuid_request_events, text, (size_t)len, id);
}

void
event_id_of_tenant(struct span tenant, uint8_t id[16])
{
	uint8_t space[16];

	memcpy(space, id, sizeof space);
	uuid_v5(space, tenant.base, tenant.len, id);
}

int64_t
event_id_time(const uint8_t id[16])
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id[i];
	return ms * 1000;
}

int64_t
event_id_published(struct uuid_source *source, int64_t now_us, uint8_t id[16])
{
	uuid_v7(source, now_us, id);
	id[14] = id[15] = 0;
	return event_id_time(id);
}

int64_t
event_time_of_key(struct span key, int64_t now_us)
{
	uint8_t id[16];
	int64_t us;

	if (!uuid_parse(key.base, key.len, id) || id[6] >> 4 != 7)
		return now_us;
	us = event_id_time(id);
	return us >= now_us - 31 * CALENDAR_DAY_US && us <= now_us + CALENDAR_DAY_US ? us : now_us;
}
