/* Loading the configuration, and giving its memory back. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdint.h>

#include "base/error.h"

struct config;

/*
 * What the ring must hold: the least ring_bytes, and a phrase for sentences, "8 lanes (4 acceptors x 2 writers)"; and
 * the least hl_ring_bytes.
 */
struct ring_need {
	uint64_t bytes;
	char lanes[128];
	uint64_t hl_bytes;
};

/* Computes it from the other options: *config is complete but for ring_bytes and hl_ring_bytes. */
typedef struct ring_need config_ring_need_fn(const struct config *config);

/*
 * Reads environ and argv (flags as --name=value or --name value; bool flags also as --name) into *config. Every option
 * is an environment variable (PORT) and a flag of the same name (--port=8080); flags win; an empty value means the
 * default. Returns one of enum config_request (config/config.h), or <0 with a sentence that names the option, the value
 * and what is allowed. Everything is checked before anything is returned, rules between options included; ring_need
 * is shm/ring_size.h's, which config/ may not include. For CONFIG_HELP and CONFIG_VERSION *config may be incomplete.
 * Release with config_free() in every case but <0.
 */
int config_load(struct config *config, int argc, char **argv, config_ring_need_fn *ring_need, struct error *err);

/* Frees what the options own, secrets overwritten. Any process, also twice. */
void config_free(struct config *config);

#endif
