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

/* The ring's need in these tests, which load_from() passes on: MAX_BODY_BYTES a lane. */
struct ring_need load_ring_need(const struct config *config);

/*
 * Runs config_load() with the arguments and the environment of `load` alone. The environment stays as it leaves it.
 * Returns what config_load() returns.
 */
int load_from(const struct load *load, struct config *config, struct error *err);

/* Does the same, and fails the test unless the result is CONFIG_RUN. */
void must_load(const struct load *load, struct config *config);

#endif
