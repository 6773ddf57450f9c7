/* The command line, one flag at a time. Private to config/load.c and config/secrets.c. */
#ifndef CONFIG_FLAGS_H
#define CONFIG_FLAGS_H

#include "base/error.h"

struct option;

struct flag {
	const struct option *option; /* NULL: the flag is a request */
	/*
	 * The value, borrowed from argv; for --help the topic or NULL. NULL for a bool flag without a value means true.
	 */
	char *value;
	int request; /* enum config_request */
};

/*
 * Reads the flag at argv[*next], with its value if that is the next argument, and moves *next past them. *next must be
 * < argc. Returns 0, or <0: unknown flag or topic, or missing value. The sentence contains no option's value.
 */
int flag_read(int argc, char **argv, int *next, struct flag *flag, struct error *err);

#endif
