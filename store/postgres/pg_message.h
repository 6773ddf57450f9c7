/*
 * What PostgreSQL says, as one line for the log and the dead letters. A row that PostgreSQL refuses belongs to whoever
 * sent it: its values appear in neither.
 */
#ifndef STORE_POSTGRES_PG_MESSAGE_H
#define STORE_POSTGRES_PG_MESSAGE_H

#include <libpq-fe.h>

#include "base/error.h"
#include "store/postgres/pg.h"

/* Makes one line of text, which may have several: valid UTF-8, cut at the end of a character where it is too long. */
void pg_message_line(struct error *err, const char *text);

/*
 * Reads an error or a notice. *refusal is what it says and what it names; *err is its message with its SQLSTATE. The
 * detail is left out where it may be a row, and so are values that the message quotes.
 */
void pg_message_read(const PGresult *result, struct pg_refusal *refusal, struct error *err);

#endif
