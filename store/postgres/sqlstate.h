/*
 * The SQLSTATEs that hooksd knows, by the names of PostgreSQL's documentation (appendix A), and what each means when
 * PostgreSQL refuses to store rows.
 */
#ifndef STORE_POSTGRES_SQLSTATE_H
#define STORE_POSTGRES_SQLSTATE_H

#include <stdbool.h>

#include "base/error.h"

#define SQLSTATE_NOT_SUPPORTED "0A000"
#define SQLSTATE_NOT_NULL_VIOLATION "23502"
#define SQLSTATE_UNIQUE_VIOLATION "23505"
#define SQLSTATE_CHECK_VIOLATION "23514"
#define SQLSTATE_INSUFFICIENT_PRIVILEGE "42501"
#define SQLSTATE_UNDEFINED_FUNCTION "42883"
#define SQLSTATE_UNDEFINED_TABLE "42P01"
#define SQLSTATE_DUPLICATE_TABLE "42P07"
#define SQLSTATE_INVALID_OBJECT_DEFINITION "42P17"
#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_IDLE_SESSION_TIMEOUT "57P05"
#define SQLSTATE_INTERNAL_ERROR "XX000"
#define SQLSTATE_DATA_CORRUPTED "XX001"
#define SQLSTATE_INDEX_CORRUPTED "XX002"

/* Classes: the first two characters. */
#define SQLSTATE_CLASS_DATA_EXCEPTION "22"
#define SQLSTATE_CLASS_INTEGRITY "23"
#define SQLSTATE_CLASS_VIEW_CHECK "44"
#define SQLSTATE_CLASS_INTERNAL "XX"

/* The server shuts down, has crashed, or ends this session. */
#define SQLSTATE_SHUTDOWNS "57P"

/* Whether a SQLSTATE is that one, or begins with it if it is a class. "" is no SQLSTATE. */
bool sqlstate_is(const char *sqlstate, const char *expected);

/* The server's error for a statement that it refuses. "": it does not name a constraint, a table or a column. */
struct pg_refusal {
	char sqlstate[6]; /* "": libpq made the error */
	char constraint[64], table[64], column[64]; /* without their schema */
	struct error message; /* without the SQLSTATE; one line of valid UTF-8, without values of a row */
};

/* Why PostgreSQL has refused rows. */
enum refusal_cause {
	CAUSE_ROW, /* some row, now and for ever: a number too large, a CHECK, a trigger that raises */
	CAUSE_DUPLICATE, /* a key that is there already */
	CAUSE_RACE, /* a conflict with another session: the same statement may succeed at once */
	CAUSE_PARTITION, /* perhaps there is no partition for some row, or it was made while the row was on its way */
	CAUSE_STORE, /* the server's state: shutting down, disk full, read-only, a lock that is held */
	CAUSE_UNCLEAR /* some row or every row: a failing trigger, or a right or value that only the table knows */
};

/* Judges by the SQLSTATE and by the names that come with it. "" as SQLSTATE (libpq made the error) is CAUSE_STORE. */
enum refusal_cause sqlstate_cause(const struct pg_refusal *refusal);

#endif
