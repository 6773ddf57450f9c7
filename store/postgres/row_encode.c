/* Encoding of rows; the formats are those of PostgreSQL's documentation of COPY and of its types' send functions. */
#include "store/postgres/row_encode.h"

#include <assert.h>
#include <string.h>

#include "base/calendar.h"
#include "store/postgres/jsonb_text.h"

/* 2000-01-01, where PostgreSQL's time begins, in days since 1970-01-01, where the time of records begins. */
#define EPOCH_DAYS 10957
#define EPOCH_US (EPOCH_DAYS * CALENDAR_DAY_US)

#define JSONB_VERSION 1
#define NULL_VALUE UINT32_MAX

/* In the order of the statements' column lists. */
enum column {
	EVENT_ID,
	TIMESTAMP,
	RECEIVED_AT,
	CREATED_DATE,
	CLIENT_EVENT_ID,
	EVENT_TYPE,
	SESSION_ID,
	WORKFLOW_ID,
	PHASE_ID,
	MILESTONE_ID,
	DATA
};

_Static_assert(DATA + 1 == ROW_COLUMNS, "the header names a parameter for each column");

/* Element types for array headers: pg_type.oid of built-in types never changes. */
static const uint32_t column_oid[ROW_COLUMNS] = {
    [EVENT_ID] = 2950, /* uuid */
    [TIMESTAMP] = 1184, /* timestamptz */
    [RECEIVED_AT] = 1184, /* timestamptz */
    [CREATED_DATE] = 1082, /* date */
    [CLIENT_EVENT_ID] = 25, /* text */
    [EVENT_TYPE] = 25,
    [SESSION_ID] = 25,
    [WORKFLOW_ID] = 25,
    [PHASE_ID] = 25,
    [MILESTONE_ID] = 25,
    [DATA] = 3802, /* jsonb */
};

bool
row_has_column(const char *name)
{
	const size_t len = strlen(name);

	for (const char *at = ROW_NAMES; *at != '\0';) {
		at += strspn(at, ", ");
		size_t width = strcspn(at, ",");
		if (width == len && memcmp(at, name, len) == 0)
			return true;
		at += width;
	}
	return false;
}

static void
add_timestamp(struct bytes *out, int64_t us)
{
	bytes_add_be32(out, 8);
	bytes_add_be64(out, (uint64_t)us - EPOCH_US);
}

static void
add_date(struct bytes *out, int64_t us)
{
	bytes_add_be32(out, 4);
	bytes_add_be32(out, (uint32_t)(calendar_day_of(us) - EPOCH_DAYS));
}

static void
add_text(struct bytes *out, struct span text)
{
	if (text.base == NULL) {
		bytes_add_be32(out, NULL_VALUE);
		return;
	}
	bytes_add_be32(out, (uint32_t)text.len);
	bytes_add(out, text.base, text.len);
}

static void
add_jsonb(struct bytes *out, const struct record *record)
{
	static const char version = JSONB_VERSION;
	struct span data = record_data(record);

	bytes_add_be32(out, (uint32_t)data.len + 1);
	bytes_add(out, &version, 1);
	bytes_add(out, data.base, data.len);
	if ((record->flags & RECORD_UNSAFE_ESCAPES) != 0)
		jsonb_text_clean(out->base + out->len - data.len, data.len);
}

static void
add_value(struct bytes *out, const struct record *record, enum column column)
{
	switch (column) {
	case EVENT_ID:
		bytes_add_be32(out, sizeof record->event_id);
		bytes_add(out, record->event_id, sizeof record->event_id);
		return;
	case TIMESTAMP:
		add_timestamp(out, record->timestamp_us);
		return;
	case RECEIVED_AT:
		add_timestamp(out, record->received_us);
		return;
	case CREATED_DATE:
		add_date(out, record->timestamp_us);
		return;
	case CLIENT_EVENT_ID:
		add_text(out, record_string(record, RECORD_CLIENT_EVENT_ID));
		return;
	case EVENT_TYPE:
		add_text(out, record_string(record, RECORD_EVENT_TYPE));
		return;
	case SESSION_ID:
		add_text(out, record_string(record, RECORD_SESSION_ID));
		return;
	case WORKFLOW_ID:
		add_text(out, record_string(record, RECORD_WORKFLOW_ID));
		return;
	case PHASE_ID:
		add_text(out, record_string(record, RECORD_PHASE_ID));
		return;
	case MILESTONE_ID:
		add_text(out, record_string(record, RECORD_MILESTONE_ID));
		return;
	case DATA:
		add_jsonb(out, record);
		return;
	}
	assert(!"a column without a value");
}

void
row_copy_begin(struct bytes *out)
{
	static const char signature[] = "PGCOPY\n\377\r\n"; /* its terminator is part of it */

	bytes_add(out, signature, sizeof signature);
	bytes_add_be32(out, 0); /* flags */
	bytes_add_be32(out, 0); /* bytes of header extension */
}

void
row_copy(struct bytes *out, const struct record *record)
{
	bytes_add_be16(out, ROW_COLUMNS);
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		add_value(out, record, column);
}

void
row_copy_end(struct bytes *out)
{
	bytes_add_be16(out, UINT16_MAX);
}

void
row_array(struct bytes *out, unsigned column, const struct record *const *records, uint32_t count)
{
	out->len = 0;
	bytes_add_be32(out, 1); /* dimensions */
	bytes_add_be32(out, 1); /* may hold nulls */
	bytes_add_be32(out, column_oid[column]);
	bytes_add_be32(out, count);
	bytes_add_be32(out, 1); /* index of the first element */
	for (uint32_t i = 0; i < count; i++)
		add_value(out, records[i], column);
}
