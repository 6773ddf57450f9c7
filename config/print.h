/* Prints help, configuration and option tables for people. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include <stdio.h>

struct config;

/*
 * Prints --help=TOPIC in lines of at most 80 columns. topic is "all" or the word of a section; NULL: the common
 * options, on a screen of 24 lines. summary is one line about the program.
 */
void config_print_help(FILE *out, const char *program, const char *summary, const char *topic);

/* Prints the configuration as NAME=value lines, secrets masked. Reading them gives the same configuration. */
void config_print(FILE *out, const struct config *config);

/* Prints Markdown tables, one per section with a row per option. A test compares docs/configuration.md. */
void config_print_markdown(FILE *out);

#endif
