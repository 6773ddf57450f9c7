/* Prints dead letters for hooksctl deadletter. */
#ifndef CLI_DEADLETTER_PRINT_H
#define CLI_DEADLETTER_PRINT_H

#include "store/dead_letter.h"

/*
 * Prints up to max characters of text, the last one an ellipsis when there are more. Prints '?' for broken UTF-8 and
 * for characters that would move a terminal's cursor. Returns how many characters it printed.
 */
int deadletter_print(const char *text, int max);

/*
 * Prints a payload. Control characters, which JSON has only in strings, become escapes: they would move a terminal's
 * cursor, and a program reads the same value. U+FFFD stands for a byte of broken UTF-8.
 */
void deadletter_print_json(const char *json);

/* Reports that no letter was selected. Returns the exit code: a failure if a particular letter was asked for. */
int deadletter_none(const struct dead_letter_selection *which);

#endif
