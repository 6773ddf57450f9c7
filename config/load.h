/* Loading the configuration, and giving its memory back. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdint.h>

#include "base/error.h"

struct config;

/*
 * The least ring_bytes, with a phrase for messages, "8 lanes (4 acceptors x 2 writers)"; and the least hl_ring_bytes.
 */
struct ring_need {
	uint64_t bytes;
	char lanes[128];
	uint64_t hl_bytes;
};

/* Computes it from the other options: only ring_bytes and hl_ring_bytes of *config are not yet set. */
typedef struct ring_need config_ring_need_fn(const struct config *config);

/*
 * Reads environ and argv (flags as --name=value or --name value; bool flags also as --name) into *config. Every option
 * is an environment variable (PORT) and a flag of the same name (--port=8080). Flags win; an empty value means the
 * default. All values and the rules between options are checked. ring_need is the function of shm/ring_size.h, which
 * config/ may not include. Returns one of enum config_request (config/config.h), or <0 with a sentence that names the
 * option, its value and the allowed values. For CONFIG_HELP and CONFIG_VERSION *config may be incomplete. Release with
 * config_free(), except after <0.
 */
int config_load(struct config *config, int argc, char **argv, config_ring_need_fn *ring_need, struct error *err);

/* Overwrites the secrets and frees the strings. Any process; calling it twice is allowed. */
void config_free(struct config *config);

#endif
