/* The command line, one flag at a time. Private to config/load.c and config/secrets.c. */
#ifndef CONFIG_FLAGS_H
#define CONFIG_FLAGS_H

#include "base/error.h"

struct option;

struct flag {
	const struct option *option; /* NULL: the flag is a request */
	/* In argv; for --help its topic, or NULL. NULL for a bool flag without a value, which means true. */
	char *value;
	int request; /* enum config_request */
};

/*
 * Reads the flag at argv[*next], and the argument after it if that is the flag's value, and moves *next behind them.
 * *next must be < argc. Returns 0, or <0: there is no such flag or topic, or the value is missing. The sentence shows
 * no value of an option.
 */
int flag_read(int argc, char **argv, int *next, struct flag *flag, struct error *err);

#endif
