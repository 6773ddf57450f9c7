/*
 * PostgreSQL's messages as lines for the log and the dead letters. A refused row is its sender's: its values do not
 * appear in messages.
 */
#ifndef STORE_POSTGRES_PG_MESSAGE_H
#define STORE_POSTGRES_PG_MESSAGE_H

#include <libpq-fe.h>

#include "base/error.h"
#include "store/postgres/sqlstate.h"

/* Makes one line of a text of several: valid UTF-8, cut at the end of a character where it is too long. */
void pg_message_line(struct error *err, const char *text);

/*
 * Reads an error or a notice into *refusal. *err is its message with its SQLSTATE. Leaves out the detail where that may
 * be a row, and values that the message quotes.
 */
void pg_message_read(const PGresult *result, struct pg_refusal *refusal, struct error *err);

#endif
