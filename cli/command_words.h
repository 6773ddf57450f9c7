/* The words of a command (cli/commands.h), followed by flags of its own. */
#ifndef CLI_COMMAND_WORDS_H
#define CLI_COMMAND_WORDS_H

#include <stdbool.h>

#include "base/error.h"

/* The number of words before the first flag. */
int command_words_count(char *const *words);

/* Whether a flag without a value is given: "--json". */
bool command_has_flag(char *const *words, const char *name);

/*
 * Reads the value of a flag, "--to": *value is the text behind its '=', or the next word; NULL: the flag is not given.
 * 0, or <0: its value is missing or empty, or it is given more than once.
 */
int command_flag(char *const *words, const char *name, const char **value, struct error *err);

/*
 * *database: whether a store's name is the URL of a PostgreSQL database; otherwise it is a file. 0, or <0: it is
 * another URL.
 */
int command_is_database(const char *name, bool *database, struct error *err);

#endif
