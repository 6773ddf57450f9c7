/* Loading a configuration from a made-up environment and command line, for the tests of config/config.h. */
#ifndef TESTS_CONFIG_LOADING_H
#define TESTS_CONFIG_LOADING_H

#include "config/config.h"
#include "config/load.h"

#define LOAD_ARGUMENTS_MAX 8

struct load {
	const char *environment[2][2]; /* name, value */
	const char *arguments[LOAD_ARGUMENTS_MAX];
};

/* What load_from() takes the ring to need: MAX_BODY_BYTES a lane. */
struct ring_need load_ring_need(const struct config *config);

/* Loads from nothing but what load says, in an environment left as load made it. Returns what config_load returns. */
int load_from(const struct load *load, struct config *config, struct error *err);

/* The same where anything but CONFIG_RUN fails the test. */
void must_load(const struct load *load, struct config *config);

#endif
