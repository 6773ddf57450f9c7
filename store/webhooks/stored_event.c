/* A DBA may have edited a row: its JSON is scanned again before it becomes part of a request's body. */
#include "store/webhooks/stored_event.h"

#include <string.h>

#include "event/record.h"
#include "event/scan.h"
#include "store/webhooks/job_rows.h"

/* Whether text is one JSON value; *value describes it. */
static bool
scan_whole(struct span text, struct json *value)
{
	struct scan scan;

	return text.base != NULL && scan_begin(&scan, text.base, text.len) && scan_value(&scan, value) &&
	       scan_finish(&scan);
}

static bool
fits(struct span text)
{
	return text.len > 0 && text.len < RECORD_NULL;
}

/* Reads the members of trace: texts without escapes, from the headers of the publishing request. */
static void
read_trace(struct span trace, struct span strings[PUBLISHED_STRINGS])
{
	static const struct {
		const char *name;
		enum published_string place;
	} members[] = {{"\"traceparent\"", PUBLISHED_TRACEPARENT}, {"\"tracestate\"", PUBLISHED_TRACESTATE}};
	struct json whole, key, value;
	struct scan scan;
	bool first = true;

	if (!scan_whole(trace, &whole) || whole.type != JSON_OBJECT || !scan_begin(&scan, whole.text, whole.len))
		return;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value))
		for (size_t i = 0; i < sizeof members / sizeof *members; i++)
			if (value.type == JSON_STRING && !value.escapes && key.len == strlen(members[i].name) &&
			    memcmp(key.text, members[i].name, key.len) == 0)
				strings[members[i].place] = (struct span){value.text + 1, value.len - 2};
}

/* Reads extra: an object whose members can be merged with others. */
static struct span
read_extra(struct span extra)
{
	struct json value;

	if (!scan_whole(extra, &value) || value.type != JSON_OBJECT || value.tight <= strlen("{}"))
		return (struct span){NULL, 0};
	return (struct span){value.text, value.len};
}

static struct record *
put_record(struct bytes *out, struct span tenant, const struct span strings[PUBLISHED_STRINGS], struct span payload)
{
	size_t bytes = tenant.len + payload.len;

	for (int i = 0; i < PUBLISHED_STRINGS; i++)
		bytes += fits(strings[i]) ? strings[i].len : 0;

	struct record *record = (void *)bytes_reserve(out, record_bytes(PUBLISHED_STRINGS, bytes));
	char *at = (char *)(record->string_bytes + PUBLISHED_STRINGS);

	*record = (struct record){.kind = RECORD_PUBLISHED,
	    .strings = PUBLISHED_STRINGS,
	    .data_bytes = (uint32_t)payload.len,
	    .tenant_bytes = (uint16_t)tenant.len};
	if (tenant.len > 0)
		at = mempcpy(at, tenant.base, tenant.len);
	for (int i = 0; i < PUBLISHED_STRINGS; i++) {
		record->string_bytes[i] = fits(strings[i]) ? (uint16_t)strings[i].len : RECORD_NULL;
		if (fits(strings[i]))
			at = mempcpy(at, strings[i].base, strings[i].len);
	}
	memcpy(at, payload.base, payload.len);
	return record;
}

static bool
is_default(struct span tenant)
{
	return tenant.len == strlen(RECORD_DEFAULT_TENANT) &&
	       memcmp(tenant.base, RECORD_DEFAULT_TENANT, tenant.len) == 0;
}

bool
stored_event_add(
    struct bytes *out, struct span tenant_id, const uint8_t event_id[16], const struct db_rows *rows, uint32_t row)
{
	struct span strings[PUBLISHED_STRINGS] = {
	    [PUBLISHED_TOPIC] = db_rows_text(rows, row, JOB_EVENT_COLUMN_TOPIC),
	    [PUBLISHED_IDEMPOTENCY_KEY] = db_rows_text(rows, row, JOB_EVENT_COLUMN_IDEMPOTENCY_KEY),
	    [PUBLISHED_ORDERING_KEY] = db_rows_text(rows, row, JOB_EVENT_COLUMN_ORDERING_KEY),
	    [PUBLISHED_TARGET_USER_ID] = db_rows_text(rows, row, JOB_EVENT_COLUMN_TARGET_USER_ID),
	    [PUBLISHED_EXTRA] = read_extra(db_rows_text(rows, row, JOB_EVENT_COLUMN_EXTRA)),
	};
	struct span payload = db_rows_text(rows, row, JOB_EVENT_COLUMN_PAYLOAD);
	struct json value;

	if (payload.base == NULL)
		payload = (struct span){"null", strlen("null")};
	if (!fits(strings[PUBLISHED_TOPIC]) || !scan_whole(payload, &value))
		return false;
	payload = (struct span){value.text, value.len};
	read_trace(db_rows_text(rows, row, JOB_EVENT_COLUMN_TRACE), strings);
	if (is_default(tenant_id))
		tenant_id.len = 0;

	struct record *record = put_record(out, tenant_id, strings, payload);

	record->flags = value.unsafe ? RECORD_UNSAFE_ESCAPES : 0;
	record->timestamp_us = db_rows_int(rows, row, JOB_EVENT_COLUMN_OCCURRED_MS) * 1000;
	record->received_us = db_rows_int(rows, row, JOB_EVENT_COLUMN_CREATED_MS) * 1000;
	memcpy(record->event_id, event_id, sizeof record->event_id);
	out->len += record_seal(record);
	return true;
}
