/* Prints strangers' text on a terminal, and the message if there is nothing to print. */
#include "cli/deadletter_print.h"

#include <stdbool.h>
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
		unsigned char first = (unsigned char)text[0], second = len > 1 ? (unsigned char)text[1] : 0;
		bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0);

		if (printed == max - 1 && left > (len > 0 ? len : 1))
			(void)fputs("\u2026", stdout);
		else if (len == 0 || control)
			putchar('?');
		else
			(void)fwrite(text, 1, len, stdout);
		text += len > 0 ? len : 1;
		left -= len > 0 ? len : 1;
	}
	return printed;
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
