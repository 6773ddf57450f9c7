/* A published event's record as JSON. */
#include "event/published_json.h"

#include <stdio.h>

#include "base/format.h"

static void
add_string(struct bytes *out, struct span text)
{
	char *at = bytes_reserve(out, format_json_max(text.len));

	out->len += (size_t)(format_json_string(at, text.base, text.len) - at);
}

/* Adds a member unless its string is null. before: the comma, the name and the colon. */
static void
add_member(struct bytes *out, const char *before, const struct record *event, enum published_string which)
{
	struct span text = record_published_string(event, which);

	if (text.base == NULL)
		return;
	bytes_add_text(out, before);
	add_string(out, text);
}

static void
add_id(struct bytes *out, const char *before, const uint8_t id[16])
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(id, text);
	bytes_add_text(out, before);
	bytes_add(out, text, sizeof text);
	bytes_add_text(out, "\"");
}

/* Adds a comma and the members of an object, unless it is empty. */
static void
add_members_of(struct bytes *out, struct span object)
{
	if (object.base == NULL || object.len <= strlen("{}"))
		return;
	bytes_add_text(out, ",");
	bytes_add(out, object.base + 1, object.len - 2);
}

static void
add_trace(struct bytes *out, const struct record *event)
{
	bool parent = record_published_string(event, PUBLISHED_TRACEPARENT).base != NULL;
	bool state = record_published_string(event, PUBLISHED_TRACESTATE).base != NULL;

	if (!parent && !state)
		return;
	bytes_add_text(out, ",\"_trace\":{");
	add_member(out, "\"traceparent\":", event, PUBLISHED_TRACEPARENT);
	add_member(out, parent ? ",\"tracestate\":" : "\"tracestate\":", event, PUBLISHED_TRACESTATE);
	bytes_add_text(out, "}");
}

void
published_json_members(struct bytes *out, const struct record *event)
{
	struct span payload = record_data(event);
	char times[96];
	int len = snprintf(times, sizeof times, ",\"created_at\":%lld,\"occurred_at\":%lld",
	    (long long)(event->received_us / 1000), (long long)(event->timestamp_us / 1000));

	add_id(out, "\"id\":\"", event->event_id);
	add_id(out, ",\"event_id\":\"", event->event_id);
	bytes_add_text(out, ",\"tenant_id\":");
	add_string(out, record_tenant_name(event));
	add_member(out, ",\"topic\":", event, PUBLISHED_TOPIC);
	bytes_add_text(out, ",\"payload\":");
	bytes_add(out, payload.base, payload.len);
	bytes_add(out, times, (size_t)len);
	add_member(out, ",\"idempotency_key\":", event, PUBLISHED_IDEMPOTENCY_KEY);
	add_member(out, ",\"ordering_key\":", event, PUBLISHED_ORDERING_KEY);
	add_member(out, ",\"target_user_id\":", event, PUBLISHED_TARGET_USER_ID);
	add_members_of(out, record_published_string(event, PUBLISHED_EXTRA));
	add_trace(out, event);
}
