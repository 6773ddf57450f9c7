/* Prints strangers' text on a terminal, and the message if there is nothing to print. */
#include "cli/deadletter_print.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/commands.h"

int
deadletter_print(const char *text, int max)
{
	size_t left = strlen(text);
	int printed = 0;

	for (; left > 0 && printed < max; printed++) {
		size_t len = utf8_length(text, left);

		if (printed == max - 1 && left > (len > 0 ? len : 1))
			(void)fputs("\u2026", stdout);
		else if (len == 0 || utf8_is_control(text, len))
			putchar('?');
		else
			(void)fwrite(text, 1, len, stdout);
		text += len > 0 ? len : 1;
		left -= len > 0 ? len : 1;
	}
	return printed;
}

void
deadletter_print_json(const char *json)
{
	size_t left = strlen(json);

	for (size_t len; left > 0; json += len, left -= len) {
		len = utf8_length(json, left);
		if (len == 0) {
			len = 1;
			(void)fputs("\uFFFD", stdout);
		} else if (json[0] != '\n' && json[0] != '\t' && utf8_is_control(json, len)) {
			printf("\\u%04x", (unsigned char)json[len - 1]); /* of U+0080 to U+009F the second byte */
		} else {
			(void)fwrite(json, 1, len, stdout);
		}
	}
}

int
deadletter_none(const struct dead_letter_selection *which)
{
	if (which->id == 0 && which->event_id[0] == '\0') {
		printf("no dead letters\n");
		return COMMAND_OK;
	}
	fprintf(stderr, "hooksctl deadletter: there is no such letter; `hooksctl deadletter list` lists them\n");
	return COMMAND_FAILED;
}
