/*
 * The configuration of a run. config_load() (config/load.h) fills it once, before the master forks. After that it never
 * changes, except that each process wipes the secrets it does not need from its copy (config/secrets.h).
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "config/choices.h"

#define ACCEPTORS_MAX 64
#define WRITERS_MAX 32
#define PUBLISHERS_MAX 16
#define COURIERS_MAX 16
#define PARTITIONS_AHEAD_MAX 24

/* What the command line asked for. */
enum config_request {
	CONFIG_RUN = 0,
	CONFIG_HELP = 1, /* --help, -h, --help=TOPIC */
	CONFIG_VERSION = 2, /* --version, -V */
	CONFIG_CHECK = 3, /* --check-config */
	CONFIG_PRINT = 4, /* --print-config */
};

/* A member for each option, owned by the struct. The option's row has its meaning, unit and range. */
struct config {
#define OPTION(section, name, ctype, member, ...) ctype member;
#include "config/option_list.def"
	const char *help_topic; /* for CONFIG_HELP: TOPIC of --help=TOPIC, borrowed from argv; NULL: none */
};

/* Whether the API of webhooks is served, by control. */
static inline bool
config_api_is_on(const struct config *config)
{
	return config->hl_store == HL_STORE_POSTGRES || config->hl_store == HL_STORE_EMBEDDED;
}

/* Whether control serves streams of hook events: of rows in SQLite, or by the log in PostgreSQL. */
static inline bool
config_streams_hook_events(const struct config *config)
{
	return config_api_is_on(config) && (config->storage == STORAGE_SQLITE || (config->storage == STORAGE_POSTGRES &&
										     config->event_stream_seconds > 0));
}

#endif
