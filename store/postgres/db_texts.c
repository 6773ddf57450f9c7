/* A text ends with a NUL; parameters contain none. */
#include "store/postgres/db_texts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"

/* Appends a parameter's text to buffer. Returns its place there, or SIZE_MAX for null. */
static size_t
add_text(struct bytes *buffer, const struct db_param *param)
{
	size_t at = buffer->len;
	char number[24];

	switch (param->kind) {
	case DB_NULL:
		return SIZE_MAX;
	case DB_INT:
		(void)snprintf(number, sizeof number, "%" PRId64, param->number);
		bytes_add_text(buffer, number);
		break;
	case DB_UUID:
		format_uuid((const uint8_t *)param->text.base, bytes_reserve(buffer, FORMAT_UUID_BYTES));
		buffer->len += FORMAT_UUID_BYTES;
		break;
	case DB_UUIDS: /* store/db.c refuses it */
		break;
	case DB_TEXT:
		bytes_add(buffer, param->text.base, param->text.len);
		break;
	}
	bytes_add(buffer, "", 1);
	return at;
}

void
db_texts(struct bytes *buffer, const struct db_call *call, const char *texts[DB_PARAMS_MAX])
{
	size_t places[DB_PARAMS_MAX];

	buffer->len = 0;
	for (size_t i = 0; i < call->count; i++)
		places[i] = add_text(buffer, &call->params[i]);
	for (size_t i = 0; i < call->count; i++)
		texts[i] = places[i] != SIZE_MAX ? buffer->base + places[i] : NULL;
}

/*
 * Adds a value as a literal that means the same whatever standard_conforming_strings says. In UTF-8 no byte of another
 * character looks like a quote or a backslash.
 */
static void
add_literal(struct bytes *sql, const char *text)
{
	if (text == NULL) {
		bytes_add_text(sql, "NULL");
		return;
	}
	bytes_add_text(sql, " E'");
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			bytes_add(sql, text, 1);
		bytes_add(sql, text, 1);
	}
	bytes_add_text(sql, "'");
}

void
db_texts_add_statement(struct bytes *sql, const struct db_call *call, const char *const texts[DB_PARAMS_MAX])
{
	const char *text = call->statement->postgres;

	for (const char *dollar; (dollar = strchr(text, '$')) != NULL;) {
		char *end;
		size_t number = strtoul(dollar + 1, &end, 10);

		assert(number >= 1 && number <= call->count);
		bytes_add(sql, text, (size_t)(dollar - text));
		add_literal(sql, texts[number - 1]);
		text = end;
	}
	bytes_add_text(sql, text);
}
