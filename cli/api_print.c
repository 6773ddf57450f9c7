/* Makes the texts of all cells first, so that columns are as wide as their contents. */
#include "cli/api_print.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Escapes bytes that may control a terminal as \xNN. */
static char *
escape(const char *text)
{
	size_t len = strlen(text);
	char *out = mem_new(4 * len + 1, 1), *end = out;

	for (size_t i = 0; i < len;) {
		size_t bytes = utf8_length(text + i, len - i);

		if (bytes == 0 || utf8_is_control(text + i, bytes)) {
			for (size_t n = 0; n < (bytes > 0 ? bytes : 1); n++)
				end += sprintf(end, "\\x%02x", (unsigned char)text[i + n]);
		} else {
			memcpy(end, text + i, bytes);
			end += bytes;
		}
		i += bytes > 0 ? bytes : 1;
	}
	*end = '\0';
	return out;
}

/* Milliseconds of the years 1973 to 9999. Smaller numbers are in seconds, and are printed as numbers. */
#define MS_LEAST 1e11
#define MS_MOST 2.5e14
#define MS_END 23 /* end of the milliseconds in format_time() */

static bool
is_time(const char *name)
{
	size_t len = strlen(name);

	return (len > 3 && strcmp(name + len - 3, "_at") == 0) || strcmp(name, "ts") == 0;
}

/* A value as text; the caller frees it. Times of the API are milliseconds since 1970. */
static char *
text_of(const cJSON *value, const char *name)
{
	char time[FORMAT_TIME_BYTES + 1] = "";
	char *json, *text;

	if (value == NULL || cJSON_IsNull(value))
		return mem_strdup("-");
	if (cJSON_IsString(value))
		return escape(value->valuestring);
	if (cJSON_IsNumber(value) && is_time(name) && value->valuedouble > MS_LEAST && value->valuedouble < MS_MOST) {
		format_time((int64_t)value->valuedouble * 1000, time);
		(void)strcpy(time + MS_END, "Z");
		return mem_strdup(time);
	}
	json = cJSON_PrintUnformatted(value);
	if (json == NULL)
		mem_none(0);
	text = escape(json);
	cJSON_free(json);
	return text;
}

void
api_print_object(FILE *out, const cJSON *object)
{
	const cJSON *member;
	int width = 0;

	cJSON_ArrayForEach(member, object)
	{
		int len = (int)strlen(member->string);

		width = len > width ? len : width;
	}
	cJSON_ArrayForEach(member, object)
	{
		char *name = escape(member->string), *text = text_of(member, member->string);

		(void)fprintf(out, "%-*s  %s\n", width, name, text);
		free(name);
		free(text);
	}
}

static int
characters(const char *text)
{
	int count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void
print_cell(FILE *out, const char *text, int width, bool last)
{
	(void)fputs(text, out);
	if (last)
		(void)fputc('\n', out);
	else
		(void)fprintf(out, "%*s", width - characters(text) + 2, "");
}

#define COLUMNS_MAX 9

void
api_print_table(FILE *out, const cJSON *items, const char *const *columns, bool head)
{
	int rows = cJSON_GetArraySize(items), count = 0, widths[COLUMNS_MAX] = {0}, row = 0;
	char *(*cells)[COLUMNS_MAX] = mem_new((size_t)rows + 1, sizeof *cells);
	const cJSON *item;

	while (count < COLUMNS_MAX && columns[count] != NULL)
		count++;
	cJSON_ArrayForEach(item, items)
	{
		for (int c = 0; c < count; c++) {
			cells[row][c] = text_of(cJSON_GetObjectItemCaseSensitive(item, columns[c]), columns[c]);
			if (characters(cells[row][c]) > widths[c])
				widths[c] = characters(cells[row][c]);
		}
		row++;
	}
	for (int c = 0; c < count; c++) {
		widths[c] = characters(columns[c]) > widths[c] ? characters(columns[c]) : widths[c];
		if (head)
			print_cell(out, columns[c], widths[c], c == count - 1);
	}
	for (row = 0; row < rows; row++)
		for (int c = 0; c < count; c++) {
			print_cell(out, cells[row][c], widths[c], c == count - 1);
			free(cells[row][c]);
		}
	free(cells);
}

void
api_print_line(FILE *out, const cJSON *object, const char *const *members)
{
	for (; *members != NULL; members++) {
		char *text = text_of(cJSON_GetObjectItemCaseSensitive(object, *members), *members);

		(void)fprintf(out, "%s%s", text, members[1] != NULL ? "  " : "\n");
		free(text);
	}
}

void
api_print_refusal(FILE *out, const struct api_reply *reply)
{
	cJSON *tree = cJSON_Parse(reply->body);
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(tree, "error");
	const cJSON *detail = cJSON_GetObjectItemCaseSensitive(tree, "detail");

	if (cJSON_IsString(code) && cJSON_IsString(detail))
		(void)fprintf(out, "hooksctl: %ld %s: %s\n", reply->status, code->valuestring, detail->valuestring);
	else
		(void)fprintf(out, "hooksctl: the answer is %ld, and not one of this API\n", reply->status);
	cJSON_Delete(tree);
}
