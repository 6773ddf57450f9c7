/*
 * PostgreSQL's documentation of COPY describes the frame of rows; its types' receive functions define the values and
 * the arrays of them. A value is its length in network byte order, UINT32_MAX for null, and then its bytes.
 */
#include "store/postgres/db_bulk.h"

#include <assert.h>
#include <stdio.h>

#include "base/calendar.h"
#include "base/format.h"

/* 2000-01-01, where PostgreSQL's time begins, in microseconds since 1970. */
#define EPOCH_US (10957 * CALENDAR_DAY_US)

#define NULL_VALUE UINT32_MAX
#define UUID_BYTES 16

/* COPY data goes out in pieces of about this size. */
#define CHUNK_BYTES ((size_t)256 << 10)

/* pg_type.oid of built-in types, which never changes. */
#define TEXT_OID 25
#define UUID_OID 2950
static const struct {
	uint32_t oid;
	const char *name;
} kinds[] = {
    [DB_TYPE_TEXT] = {TEXT_OID, "text"},
    [DB_TYPE_JSON] = {114, "json"},
    [DB_TYPE_UUID] = {UUID_OID, "uuid"},
    /* An array of arrays needs equal lengths, so each array goes as its text. */
    [DB_TYPE_UUID_ARRAY] = {TEXT_OID, "text"},
    [DB_TYPE_INT2] = {21, "smallint"},
    [DB_TYPE_INT4] = {23, "int"},
    [DB_TYPE_INT8] = {20, "bigint"},
    [DB_TYPE_BOOL] = {16, "boolean"},
    [DB_TYPE_TIME] = {1184, "timestamptz"},
};

static void
add_array_head(struct bytes *out, uint32_t oid, uint32_t count)
{
	bytes_add_be32(out, count > 0 ? 1 : 0); /* dimensions */
	bytes_add_be32(out, 1); /* may hold nulls */
	bytes_add_be32(out, oid);
	if (count == 0)
		return;
	bytes_add_be32(out, count);
	bytes_add_be32(out, 1); /* index of the first element */
}

static void
add_uuids(struct bytes *out, struct span ids)
{
	size_t length_at = out->len;

	bytes_add_be32(out, 0);
	add_array_head(out, UUID_OID, (uint32_t)(ids.len / UUID_BYTES));
	for (size_t at = 0; at < ids.len; at += UUID_BYTES) {
		bytes_add_be32(out, UUID_BYTES);
		bytes_add(out, ids.base + at, UUID_BYTES);
	}
	uint32_t length = htobe32((uint32_t)(out->len - length_at - sizeof length));
	memcpy(out->base + length_at, &length, sizeof length);
}

static void
add_int64(struct bytes *out, uint64_t value)
{
	bytes_add_be32(out, sizeof value);
	bytes_add_be64(out, value);
}

static void
add_value(struct bytes *out, enum db_type type, const struct db_param *value)
{
	if (value->kind == DB_NULL) {
		bytes_add_be32(out, NULL_VALUE);
		return;
	}
	switch (type) {
	case DB_TYPE_TEXT:
	case DB_TYPE_JSON:
	case DB_TYPE_UUID:
		bytes_add_be32(out, (uint32_t)value->text.len);
		bytes_add(out, value->text.base, value->text.len);
		break;
	case DB_TYPE_UUID_ARRAY:
		add_uuids(out, value->text);
		break;
	case DB_TYPE_INT2:
		bytes_add_be32(out, 2);
		bytes_add_be16(out, (uint16_t)value->number);
		break;
	case DB_TYPE_INT4:
		bytes_add_be32(out, 4);
		bytes_add_be32(out, (uint32_t)value->number);
		break;
	case DB_TYPE_INT8:
		add_int64(out, (uint64_t)value->number);
		break;
	case DB_TYPE_BOOL:
		bytes_add_be32(out, 1);
		bytes_add(out, value->number != 0 ? "\1" : "\0", 1);
		break;
	case DB_TYPE_TIME:
		add_int64(out, (uint64_t)value->number - (uint64_t)EPOCH_US);
		break;
	}
}

static void
add_row(struct bytes *out, const struct db_values *values, const struct db_param *row)
{
	bytes_add_be16(out, (uint16_t)values->columns);
	for (uint32_t column = 0; column < values->columns; column++)
		add_value(out, values->types[column], &row[column]);
}

static int
begin_copy(struct pg *pg, struct bytes *buffer, const struct db_table *table, int64_t deadline_us, struct error *err)
{
	buffer->len = 0;
	bytes_add_text(buffer, "COPY ");
	bytes_add_text(buffer, table->name);
	bytes_add_text(buffer, " (");
	bytes_add_text(buffer, table->columns);
	bytes_add_text(buffer, ") FROM STDIN (FORMAT binary)");
	bytes_add(buffer, "", 1);
	return pg_copy_begin(pg, buffer->base, deadline_us, err);
}

int
db_bulk_copy(struct pg *pg, struct bytes *buffer, const struct db_table *table, const struct db_values *values,
    int64_t deadline_us, struct error *err)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* with the literal's end: flags, extension */
	uint64_t stored;
	int rc = begin_copy(pg, buffer, table, deadline_us, err);

	if (rc != 0)
		return rc;
	buffer->len = 0;
	bytes_add(buffer, head, sizeof head);
	for (uint32_t row = 0; rc == 0 && row < values->rows; row++) {
		add_row(buffer, values, values->first + (size_t)row * values->columns);
		if (buffer->len >= CHUNK_BYTES) {
			rc = pg_copy_send(pg, buffer->base, buffer->len, deadline_us, err);
			buffer->len = 0;
		}
	}
	bytes_add_be16(buffer, UINT16_MAX);
	if (rc == 0)
		rc = pg_copy_send(pg, buffer->base, buffer->len, deadline_us, err);
	return rc == 0 ? pg_copy_end(pg, deadline_us, &stored, err) : rc;
}

static void
add_uuids_text(struct bytes *out, const struct db_param *value)
{
	size_t count = value->text.len / UUID_BYTES;
	char text[FORMAT_UUID_BYTES];

	if (value->kind == DB_NULL) {
		bytes_add_be32(out, NULL_VALUE);
		return;
	}
	/* Two braces, a comma between two ids. */
	bytes_add_be32(out, (uint32_t)(count > 0 ? 1 + count * (FORMAT_UUID_BYTES + 1) : 2));
	bytes_add(out, "{", 1);
	for (size_t i = 0; i < count; i++) {
		format_uuid((const uint8_t *)value->text.base + i * UUID_BYTES, text);
		if (i > 0)
			bytes_add(out, ",", 1);
		bytes_add(out, text, sizeof text);
	}
	bytes_add(out, "}", 1);
}

/* Adds a column of all rows as an array. */
static void
add_array(struct bytes *out, const struct db_values *values, uint32_t column)
{
	enum db_type type = values->types[column];

	add_array_head(out, kinds[type].oid, values->rows);
	for (uint32_t row = 0; row < values->rows; row++) {
		const struct db_param *value = values->first + (size_t)row * values->columns + column;

		if (type == DB_TYPE_UUID_ARRAY)
			add_uuids_text(out, value);
		else
			add_value(out, type, value);
	}
}

int
db_bulk_each(struct pg *pg, struct bytes *buffer, const char *sql, const struct db_values *values, int64_t deadline_us,
    PGresult **result, struct error *err)
{
	struct pg_param params[DB_COLUMNS_MAX];
	size_t begins[DB_COLUMNS_MAX + 1] = {0};

	buffer->len = 0;
	for (uint32_t column = 0; column < values->columns; column++) {
		add_array(buffer, values, column);
		begins[column + 1] = buffer->len;
	}
	for (uint32_t column = 0; column < values->columns; column++)
		params[column] = (struct pg_param){buffer->base + begins[column], begins[column + 1] - begins[column]};
	const struct pg_statement statement = {.sql = sql, .params = params, .count = values->columns};
	return pg_exec_params(pg, &statement, deadline_us, result, err);
}

/* RETURNING, because Citus turns an INSERT without it into a COPY, and the caller needs an INSERT. */
static void
add_insert(struct bytes *sql, const struct db_table *table)
{
	char part[64];

	bytes_add_text(sql, "INSERT INTO ");
	bytes_add_text(sql, table->name);
	bytes_add_text(sql, " (");
	bytes_add_text(sql, table->columns);
	bytes_add_text(sql, ") SELECT ");
	for (uint32_t i = 0; i < table->count; i++) {
		(void)snprintf(part, sizeof part,
		    table->types[i] == DB_TYPE_UUID_ARRAY ? "%sCAST(c%u AS uuid[])" : "%sc%u", i > 0 ? ", " : "", i);
		bytes_add_text(sql, part);
	}
	bytes_add_text(sql, " FROM unnest(");
	for (uint32_t i = 0; i < table->count; i++) {
		(void)snprintf(part, sizeof part, "%s$%u::%s[]", i > 0 ? ", " : "", i + 1, kinds[table->types[i]].name);
		bytes_add_text(sql, part);
	}
	bytes_add_text(sql, ") AS given (");
	for (uint32_t i = 0; i < table->count; i++) {
		(void)snprintf(part, sizeof part, "%sc%u", i > 0 ? ", " : "", i);
		bytes_add_text(sql, part);
	}
	bytes_add_text(sql, ") RETURNING 1");
	bytes_add(sql, "", 1);
}

int
db_bulk_insert(struct pg *pg, struct bytes *buffer, const struct db_table *table, const struct db_values *values,
    int64_t deadline_us, struct error *err)
{
	struct bytes sql = {0};
	PGresult *result;

	add_insert(&sql, table);
	int rc = db_bulk_each(pg, buffer, sql.base, values, deadline_us, &result, err);
	if (rc == 0)
		PQclear(result);
	bytes_free(&sql);
	return rc;
}
