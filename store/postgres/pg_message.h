/*
 * PostgreSQL's messages as lines for the log and the dead letters. A refused row belongs to its sender, so its values
 * do not appear in messages.
 */
#ifndef STORE_POSTGRES_PG_MESSAGE_H
#define STORE_POSTGRES_PG_MESSAGE_H

#include <libpq-fe.h>

#include "base/error.h"
#include "store/postgres/sqlstate.h"

/* Joins a text of several lines to one line: valid UTF-8, cut after a character if it is too long. */
void pg_message_line(struct error *err, const char *text);

/*
 * Reads an error or a notice into *refusal. *err is its message with its SQLSTATE, without quoted values, and without a
 * detail that may show a row.
 */
void pg_message_read(const PGresult *result, struct pg_refusal *refusal, struct error *err);

#endif
