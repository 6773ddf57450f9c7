/* Loading the configuration, and giving its memory back. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdint.h>

#include "base/error.h"

struct config;

/* The least ring_bytes that can hold what the other options allow. *config is complete but for ring_bytes. */
typedef uint64_t config_ring_least_fn(const struct config *config);

/*
 * Reads environ and argv (flags as --name=value or --name value; bool flags also as --name) into *config. Every option
 * is an environment variable (PORT) and a flag of the same name (--port=8080); flags win; an empty value means the
 * default. Returns one of enum config_request (config/config.h), or <0 with a sentence that names the option, the value
 * and what is allowed. Everything is checked before anything is returned, rules between options included; ring_least
 * is shm/ring_size.h's, which config/ may not include. For CONFIG_HELP and CONFIG_VERSION *config may be incomplete.
 * Release with config_free() in every case but <0.
 */
int config_load(struct config *config, int argc, char **argv, config_ring_least_fn *ring_least, struct error *err);

/* Frees what the options own, secrets overwritten. Any process, also twice. */
void config_free(struct config *config);

#endif
