/* A script that lets bash and zsh complete commands, verbs and options of hooksctl, made from the tables of both. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* Begins the script: zsh takes the same one through its bashcompinit. */
void completion_begin(FILE *out, bool zsh);

/*
 * Adds a command that takes the options of hooksd. verbs: those of its first word, with blanks between; NULL: none.
 * flags: of its own, NULL-terminated; NULL: none.
 */
void completion_add_command(FILE *out, const char *name, const char *verbs, const char *const *flags);

/* Adds the commands of the API, and ends the script. */
void completion_end(FILE *out);

#endif
