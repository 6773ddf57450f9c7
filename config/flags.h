/* The command line, one flag at a time. Private to config/load.c and config/secrets.c. */
#ifndef CONFIG_FLAGS_H
#define CONFIG_FLAGS_H

#include "base/error.h"

struct option;

struct flag {
	const struct option *option; /* or NULL: then request says what is asked for */
	char *value; /* in argv; NULL for a bool flag without one, which means true; of --help: the topic, or NULL */
	int request; /* enum config_request */
};

/*
 * Reads the flag at argv[*next], with its value where that is an argument of its own, and moves *next behind it.
 * Needs *next < argc. <0: no such flag or topic, or no value, with a sentence that holds no value.
 */
int flag_read(int argc, char **argv, int *next, struct flag *flag, struct error *err);

#endif
