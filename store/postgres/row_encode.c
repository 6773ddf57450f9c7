/* PostgreSQL's documentation of COPY describes the frame of rows, its types' send functions define the values. */
#include "store/postgres/row_encode.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "base/format.h"
#include "store/postgres/jsonb_text.h"

/* 2000-01-01, where PostgreSQL's time begins, in days since 1970-01-01, where the time of records begins. */
#define EPOCH_DAYS 10957
#define EPOCH_US (EPOCH_DAYS * CALENDAR_DAY_US)

#define JSONB_VERSION 1
#define NULL_VALUE UINT32_MAX

/* pg_type.oid of built-in types, which never changes. */
enum { OID_uuid = 2950, OID_timestamptz = 1184, OID_date = 1082, OID_text = 25, OID_jsonb = 3802 };

#define ROW_TYPE(symbol, key, limit, required, column, type) [ROW_##symbol] = {column, #type, OID_##type},

static const struct {
	const char *name;
	const char *type;
	uint32_t oid;
} column_table[ROW_COLUMNS] = {
    [ROW_EVENT_ID] = {"event_id", "uuid", OID_uuid},
    HOOK_EVENT_FIELDS(ROW_TYPE, ROW_TYPE, ROW_TYPE)[ROW_TENANT_ID] = {"tenant_id", "text", OID_text},
};

uint32_t
row_columns(const struct record *const *records, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (records[i]->tenant_bytes > 0)
			return ROW_COLUMNS;
	return ROW_COLUMNS_OF_DEFAULT_TENANT;
}

const char *
row_copy_sql(uint32_t columns)
{
	return columns == ROW_COLUMNS ? "COPY hook_events (" ROW_NAMES ") FROM STDIN (FORMAT binary)"
				      : "COPY hook_events (" ROW_NAMES_OF_DEFAULT_TENANT ") FROM STDIN (FORMAT binary)";
}

bool
row_has_column(const char *name)
{
	for (int i = 0; i < ROW_COLUMNS_OF_DEFAULT_TENANT; i++)
		if (strcmp(name, column_table[i].name) == 0)
			return true;
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
add_value(struct bytes *out, const struct record *record, enum row_column column)
{
	switch (column) {
	case ROW_EVENT_ID:
		bytes_add_be32(out, sizeof record->event_id);
		bytes_add(out, record->event_id, sizeof record->event_id);
		return;
	case ROW_TIMESTAMP:
		add_timestamp(out, record->timestamp_us);
		return;
	case ROW_RECEIVED_AT:
		add_timestamp(out, record->received_us);
		return;
	case ROW_CREATED_DATE:
		add_date(out, record->timestamp_us);
		return;
	case ROW_DATA:
		add_jsonb(out, record);
		return;
#define TEXT_CASE(symbol, ...)                                                                                         \
	case ROW_##symbol:                                                                                             \
		add_text(out, record_string(record, RECORD_##symbol));                                                 \
		return;
		HOOK_EVENT_FIELDS(TEXT_CASE, NO_FIELD, NO_FIELD)
	case ROW_TENANT_ID:
		add_text(out, record_tenant_name(record));
		return;
	case ROW_COLUMNS:
		break;
	}
	assert(!"a column without a value");
}

void
row_copy_begin(struct bytes *out)
{
	static const char signature[] = "PGCOPY\n\377\r\n"; /* its NUL is part of the signature */

	bytes_add(out, signature, sizeof signature);
	bytes_add_be32(out, 0); /* flags */
	bytes_add_be32(out, 0); /* bytes of header extension */
}

void
row_copy(struct bytes *out, const struct record *record, uint32_t columns)
{
	bytes_add_be16(out, (uint16_t)columns);
	for (uint32_t column = 0; column < columns; column++)
		add_value(out, record, (enum row_column)column);
}

void
row_copy_end(struct bytes *out)
{
	bytes_add_be16(out, UINT16_MAX);
}

void
row_add_unnest_sql(struct bytes *sql, uint32_t columns)
{
	char parameter[32];

	for (uint32_t i = 0; i < columns; i++) {
		(void)snprintf(
		    parameter, sizeof parameter, "%s$%u::%s[]", i == 0 ? "unnest(" : ", ", i + 1, column_table[i].type);
		bytes_add_text(sql, parameter);
	}
	bytes_add_text(sql, ")");
}

#define LOG_SQL "INSERT INTO hook_event_log (first_day, last_day, event_ids) "

void
row_add_insert_sql(struct bytes *sql, uint32_t columns, bool logged)
{
	const char *names = columns == ROW_COLUMNS ? ROW_NAMES : ROW_NAMES_OF_DEFAULT_TENANT;

	if (logged)
		bytes_add_text(sql, "WITH stored AS (");
	bytes_add_text(sql, "INSERT INTO hook_events (");
	bytes_add_text(sql, names);
	bytes_add_text(sql, ") SELECT * FROM ");
	row_add_unnest_sql(sql, columns);
	bytes_add_text(sql, " AS event (");
	bytes_add_text(sql, names);
	bytes_add_text(sql, ") ORDER BY event_id, created_date " ROW_CONFLICT_SQL " RETURNING ");
	if (!logged)
		bytes_add_text(sql, "1");
	else
		bytes_add_text(sql,
		    "event_id, created_date), logged AS (" LOG_SQL
		    "SELECT min(created_date), max(created_date), array_agg(event_id) FROM stored HAVING count(*) > 0"
		    ") SELECT 1 FROM stored");
}

/* The day of a time, in quotes and with a comma. */
static void
add_day(struct bytes *sql, int64_t us)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	bytes_add_text(sql, "'");
	bytes_add(sql, text, sizeof "2026-11-22" - 1);
	bytes_add_text(sql, "', ");
}

void
row_add_log_sql(struct bytes *sql, const struct record *const *records, uint32_t count)
{
	int64_t first_us = records[0]->timestamp_us, last_us = first_us;

	for (uint32_t i = 1; i < count; i++) {
		int64_t us = records[i]->timestamp_us;

		first_us = us < first_us ? us : first_us;
		last_us = us > last_us ? us : last_us;
	}
	bytes_add_text(sql, LOG_SQL "VALUES (");
	add_day(sql, first_us);
	add_day(sql, last_us);
	bytes_add_text(sql, "'{");
	for (uint32_t i = 0; i < count; i++) {
		format_uuid(records[i]->event_id, bytes_reserve(sql, FORMAT_UUID_BYTES));
		sql->len += FORMAT_UUID_BYTES;
		bytes_add_text(sql, i + 1 < count ? "," : "}'); ");
	}
}

void
row_array(struct bytes *out, enum row_column column, const struct record *const *records, uint32_t count)
{
	out->len = 0;
	bytes_add_be32(out, 1); /* dimensions */
	bytes_add_be32(out, 1); /* may hold nulls */
	bytes_add_be32(out, column_table[column].oid);
	bytes_add_be32(out, count);
	bytes_add_be32(out, 1); /* index of the first element */
	for (uint32_t i = 0; i < count; i++)
		add_value(out, records[i], column);
}
