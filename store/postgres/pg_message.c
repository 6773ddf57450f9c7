/* PostgreSQL documents the fields of its messages under "Error and Notice Message Fields" of the protocol. */
#include "store/postgres/pg_message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "store/postgres/sqlstate.h"

/* Replaces a quoted value in a message. */
#define HIDDEN "\"...\""

void
pg_message_line(struct error *err, const char *text)
{
	const char *gap = "";
	size_t used = 0;

	while (*text != '\0') {
		size_t len = utf8_length(text, strlen(text));

		if (len == 0) {
			text++;
		} else if ((unsigned char)*text <= ' ') {
			if (used > 0 && *gap != ';')
				gap = *text == '\n' ? "; " : " ";
			text++;
		} else {
			if (used + strlen(gap) + len >= sizeof err->text)
				break;
			used = (size_t)(stpcpy(err->text + used, gap) - err->text);
			memcpy(err->text + used, text, len);
			used += len;
			text += len;
			gap = "";
		}
	}
	err->text[used] = '\0';
}

/*
 * Whether the detail may show a row. Data exceptions quote a value, violated constraints and views' checks a row, and
 * Citus reports all of them as internal errors.
 */
static bool
details_a_row(const char *sqlstate)
{
	static const char *const classes[] = {SQLSTATE_CLASS_DATA_EXCEPTION, SQLSTATE_CLASS_INTEGRITY,
	    SQLSTATE_CLASS_VIEW_CHECK, SQLSTATE_CLASS_INTERNAL};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (sqlstate_is(sqlstate, classes[i]))
			return true;
	return false;
}

/*
 * Reads the primary message as one line. A data exception quotes the value: `invalid input syntax for type integer:
 * "..."`.
 */
static void
read_primary(struct error *message, const char *primary, bool quotes_a_value)
{
	const char *first = strchr(primary, '"'), *last = strrchr(primary, '"');
	struct error hidden;

	if (!quotes_a_value || first == last) {
		pg_message_line(message, primary);
		return;
	}
	(void)error_set(&hidden, "%.*s" HIDDEN "%s", (int)(first - primary), primary, last + 1);
	pg_message_line(message, hidden.text);
}

static const char *
field(const PGresult *result, int code)
{
	const char *value = PQresultErrorField(result, code);

	return value != NULL ? value : "";
}

void
pg_message_read(const PGresult *result, struct pg_refusal *refusal, struct error *err)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	struct error message, text;

	(void)snprintf(refusal->sqlstate, sizeof refusal->sqlstate, "%s", field(result, PG_DIAG_SQLSTATE));
	(void)snprintf(refusal->constraint, sizeof refusal->constraint, "%s", field(result, PG_DIAG_CONSTRAINT_NAME));
	(void)snprintf(refusal->table, sizeof refusal->table, "%s", field(result, PG_DIAG_TABLE_NAME));
	(void)snprintf(refusal->column, sizeof refusal->column, "%s", field(result, PG_DIAG_COLUMN_NAME));
	if (primary == NULL) { /* made by libpq, not by the server */
		pg_message_line(err, PQresultErrorMessage(result));
		refusal->message = *err;
		return;
	}
	read_primary(&message, primary, sqlstate_is(refusal->sqlstate, SQLSTATE_CLASS_DATA_EXCEPTION));
	if (detail != NULL && details_a_row(refusal->sqlstate))
		detail = NULL;
	(void)error_set(&text, "%s%s%s", message.text, detail != NULL ? ": " : "", detail != NULL ? detail : "");
	pg_message_line(&refusal->message, text.text);
	(void)error_set(&text, "%s (SQLSTATE %s)%s%s", message.text, refusal->sqlstate, detail != NULL ? ": " : "",
	    detail != NULL ? detail : "");
	pg_message_line(err, text.text);
}
