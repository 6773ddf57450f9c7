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
};

#define DB_PARAMS_MAX 64

enum db_kind { DB_NULL, DB_TEXT, DB_INT, DB_UUID };

/* Made by the functions below; text and id are borrowed for the call of db_query(). */
struct db_param {
	enum db_kind kind;
	struct span text; /* DB_TEXT: valid UTF-8 without NUL, else DB_REFUSED; DB_UUID: 16 bytes */
	int64_t number;
};

static inline struct db_param
db_null(void)
{
	return (struct db_param){.kind = DB_NULL};
}

/* A span without a base is null. */
static inline struct db_param
db_text(struct span text)
{
	return (struct db_param){.kind = text.base != NULL ? DB_TEXT : DB_NULL, .text = text};
}

/* NULL is null. */
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

/* The place before all UUIDs in that order, for lists that go on behind an id. */
static inline const char *
db_first_uuid(bool descending)
{
	return descending ? "ffffffff-ffff-ffff-ffff-ffffffffffff" : "00000000-0000-0000-0000-000000000000";
}

#endif
