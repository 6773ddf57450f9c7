/* Loading the configuration, and giving its memory back. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdint.h>

#include "base/error.h"

struct config;

/*
 * Reads environ and argv (flags as --name=value or --name value; bool flags also as --name) into *config. Every option
 * is an environment variable (PORT) and a flag of the same name (--port=8080); flags win; an empty value means the
 * default. Returns one of enum config_request (config/config.h), or <0 with a sentence that names the option, the value
 * and what is allowed. Everything is checked before anything is returned, rules between options included. For
 * CONFIG_HELP and CONFIG_VERSION *config may be incomplete. Release with config_free() in every case but <0.
 */
int config_load(struct config *config, int argc, char **argv, struct error *err);
void config_free(struct config *config);

/*
 * The bytes each of the acceptors * writers lanes needs to hold the largest request that is allowed. config_load
 * sees to it that ring_bytes is at least that for all of them and 1 MiB for what else is in the segment.
 */
uint64_t config_lane_need(const struct config *config);

#endif
