/* The value of an option in a struct config. */
#ifndef CONFIG_OPTION_VALUE_H
#define CONFIG_OPTION_VALUE_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct config;
struct option;

/*
 * Reads value, which is not empty, into the option's member of *config, and frees the old string. Returns 0, or <0: the
 * value is not allowed; the sentence names the option and, unless it is a secret, the value.
 */
int option_set(const struct option *option, const char *value, struct config *config, struct error *err);

/* Writes the value in *config in a form that option_set() accepts, secrets masked. A NULL string prints as empty. */
void option_print(FILE *out, const struct option *option, const struct config *config);

/*
 * Frees the string in *config and makes it NULL; a secret is overwritten first. Only for strings: option_is_string().
 */
void option_clear(const struct option *option, struct config *config);

/* The string in *config, which may be NULL, and its member. Only for options with option_is_string(). */
const char *option_text(const struct option *option, const struct config *config);
char **option_string(const struct option *option, struct config *config);

/* The number, enum or bool in *config. Only for options without option_is_string(). */
uint64_t option_number(const struct option *option, const struct config *config);

#endif
