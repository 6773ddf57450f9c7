/*
 * Makes a script from the tables of commands, by which bash and zsh complete commands, verbs and options of
 * hooksctl.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* Begins the script; zsh uses the same one by its bashcompinit. */
void completion_begin(FILE *out, bool zsh);

/*
 * Adds a command that takes the options of hooksd. verbs: its first words, separated by blanks; NULL: none. flags: its
 * own, NULL-terminated; NULL: none.
 */
void completion_add_command(FILE *out, const char *name, const char *verbs, const char *const *flags);

/* Adds the commands of the API, and ends the script. */
void completion_end(FILE *out);

#endif
