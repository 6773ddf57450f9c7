/* A statement of the webhooks' store, and the values of its parameters. */
#ifndef STORE_DB_STATEMENT_H
#define STORE_DB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

/* One text where PostgreSQL and SQLite agree. Parameters are $1, $2, ..., each used at least once. */
struct db_statement {
	const char *postgres;
	const char *sqlite; /* NULL: the same text */
	const char *citus; /* for a distributed PostgreSQL, if it refuses the first text; NULL: the first text */
};

#define DB_PARAMS_MAX 64

enum db_kind { DB_NULL, DB_TEXT, DB_INT, DB_UUID, DB_UUIDS };

/*
 * A column's type in PostgreSQL, and the function that makes its values; each may also be db_null(). TEXT and JSON:
 * db_text(); UUID: db_uuid(); UUID_ARRAY: db_uuids(); INT2, INT4, INT8: db_int(); BOOL: db_bool(); TIME: db_int() of
 * microseconds since 1970, which SQLite cuts to milliseconds.
 */
enum db_type {
	DB_TYPE_TEXT,
	DB_TYPE_JSON,
	DB_TYPE_UUID,
	DB_TYPE_UUID_ARRAY,
	DB_TYPE_INT2,
	DB_TYPE_INT4,
	DB_TYPE_INT8,
	DB_TYPE_BOOL,
	DB_TYPE_TIME
};

#define DB_COLUMNS_MAX 48

/* The table and columns for db_load(). Must be a constant: a connection recognises it by its address. */
struct db_table {
	const char *name;
	const char *columns; /* "tenant_id, event_id, created_at" */
	const enum db_type *types; /* of the columns */
	uint32_t count; /* of columns: 1 to DB_COLUMNS_MAX */
};

/*
 * A statement for db_each(). Must be a constant, as above. $1, $2, ... of statement.postgres are arrays with one
 * element for each row: FROM unnest($1::uuid[], $2::timestamptz[]) AS new (job_id, due_at). Those of statement.sqlite
 * are the values of one row: a time is in milliseconds. No type is UUID_ARRAY.
 */
struct db_each {
	struct db_statement statement;
	const enum db_type *types; /* of the parameters */
	uint32_t count; /* of parameters: 1 to DB_COLUMNS_MAX */
};

/* Made by the functions below; text and id are borrowed for the call of db_query(). */
struct db_param {
	enum db_kind kind;
	struct span text; /* DB_TEXT: valid UTF-8 without NUL, else DB_REFUSED; DB_UUID: 16 bytes; DB_UUIDS: 16 each */
	int64_t number;
};

static inline struct db_param
db_null(void)
{
	return (struct db_param){.kind = DB_NULL};
}

/* A span without a base makes null. */
static inline struct db_param
db_text(struct span text)
{
	return (struct db_param){.kind = text.base != NULL ? DB_TEXT : DB_NULL, .text = text};
}

/* NULL makes null. */
static inline struct db_param
db_string(const char *text)
{
	return db_text((struct span){.base = text, .len = text != NULL ? strlen(text) : 0});
}

static inline struct db_param
db_int(int64_t number)
{
	return (struct db_param){.kind = DB_INT, .number = number};
}

static inline struct db_param
db_bool(bool value)
{
	return db_int(value ? 1 : 0);
}

static inline struct db_param
db_uuid(const uint8_t id[16])
{
	return (struct db_param){.kind = DB_UUID, .text = {.base = (const char *)id, .len = 16}};
}

/* An array of UUIDs, for db_load() only. SQLite stores it as a JSON array of texts. */
static inline struct db_param
db_uuids(const uint8_t (*ids)[16], size_t count)
{
	return (struct db_param){.kind = DB_UUIDS, .text = {.base = (const char *)ids, .len = 16 * count}};
}

/* A UUID before all others in that order, for lists that continue behind an id. */
static inline const char *
db_first_uuid(bool descending)
{
	return descending ? "ffffffff-ffff-ffff-ffff-ffffffffffff" : "00000000-0000-0000-0000-000000000000";
}

#endif
