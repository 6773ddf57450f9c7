/* The words of a command (cli/commands.h): those that stand first, and then flags of its own. */
#ifndef CLI_COMMAND_WORDS_H
#define CLI_COMMAND_WORDS_H

#include <stdbool.h>

#include "base/error.h"

/* How many words stand before the first flag. */
int command_words_count(char *const *words);

/* Whether a flag without a value is there: "--json". */
bool command_has_flag(char *const *words, const char *name);

/*
 * The value of a flag that takes one, "--to": *value is the text behind its '=', or the next word; NULL: it is not
 * there. 0, or <0: it has no value, an empty one, or is there more than once.
 */
int command_flag(char *const *words, const char *name, const char **value, struct error *err);

/* Whether a store's name is the URL of a PostgreSQL database. 0, or <0: it is another URL, which is no file either. */
int command_is_database(const char *name, bool *database, struct error *err);

#endif
