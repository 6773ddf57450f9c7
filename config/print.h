/* The options for people. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include <stdio.h>

struct config;

/*
 * What --help=TOPIC shows, in lines of up to 80 columns. topic is "all" or the word of a section; NULL: the common
 * options, on a screen of 24 lines. summary is a line that says what the program does.
 */
void config_print_help(FILE *out, const char *program, const char *summary, const char *topic);

/* The configuration as NAME=value lines, which mean the same when they are read again; secrets are masked. */
void config_print(FILE *out, const struct config *config);

/* Markdown tables, one a section and one row an option. docs/configuration.md has a copy, which a test compares. */
void config_print_markdown(FILE *out);

#endif
