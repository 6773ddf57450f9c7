/*
 * The configuration of a run: what the option table (config/config.c) makes of environment and flags.
 * Every option is an environment variable (PORT) and a flag of the same name (--port=8080); flags win.
 * Read once by the master before it forks; read-only afterwards.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"

enum storage { STORAGE_AUTO, STORAGE_POSTGRES, STORAGE_JSONL, STORAGE_NULL };
enum ack { ACK_DURABLE, ACK_QUEUED };
enum unknown_action { UNKNOWN_KEEP, UNKNOWN_IGNORE, UNKNOWN_REFUSE };

#define ACCEPTORS_MAX 64
#define WRITERS_MAX 32
#define PARTITIONS_AHEAD_MAX 24

struct config {
	char *database_url; /* NULL when unset; secret */
	enum storage storage; /* never STORAGE_AUTO after config_load: resolved by database_url */
	char *jsonl_path;
	enum log_level log_level;
	enum log_format log_format;
	char *host;
	uint16_t port; /* 0: the kernel chooses, the log line "listening" tells which */
	uint32_t acceptors; /* 1..ACCEPTORS_MAX */
	uint32_t writers; /* 1..WRITERS_MAX */
	enum ack ack;
	char *data_dir;
	char *ring_path;
	uint64_t ring_bytes; /* the whole segment file */
	uint64_t max_body_bytes;
	uint64_t max_event_bytes;
	uint32_t max_batch_events;
	enum unknown_action unknown_fields; /* what becomes of those of an event that are none of its own */
	char *cors_origins; /* NULL when unset; "*", or separated by commas and blanks */
	uint32_t idle_timeout_seconds;
	uint32_t request_timeout_seconds;
	uint32_t drain_timeout_seconds;
	uint32_t stuck_after_seconds; /* 0: never */
	uint64_t jsonl_rotate_bytes; /* 0: never */
	bool auto_migrate;
	uint64_t spool_max_bytes; /* of all writers together; 0: nothing is spooled */
	uint32_t store_timeout_ms;
	uint32_t spool_after_ms; /* 0: at once */
	uint32_t partitions_ahead; /* months after this one, 0..PARTITIONS_AHEAD_MAX */
};

/* What the command line asked for besides running. */
enum config_request {
	CONFIG_RUN = 0,
	CONFIG_HELP = 1, /* --help, -h */
	CONFIG_VERSION = 2, /* --version, -V */
	CONFIG_CHECK = 3, /* --check-config */
	CONFIG_PRINT = 4, /* --print-config */
};

/*
 * Reads environ and argv (flags as --name=value or --name value; bool flags also as --name) into *config.
 * Returns one of enum config_request, or <0 with a sentence that names the option, the value and what is
 * allowed. Everything is checked before anything is returned, cross-option rules included. For CONFIG_HELP
 * and CONFIG_VERSION *config may be incomplete. Release with config_free in every case but <0.
 */
int config_load(struct config *config, int argc, char **argv, struct error *err);
void config_free(struct config *config);

/*
 * The bytes each of the acceptors * writers lanes needs to hold the largest request that is allowed. config_load
 * sees to it that ring_bytes is at least that for all of them and 1 MiB for what else is in the segment.
 */
uint64_t config_lane_need(const struct config *config);

/*
 * Overwrites the database credentials wherever this process holds them: *config, the environment block and
 * argv as /proc shows them. Called by acceptors right after fork, which have no business with the database.
 */
void config_forget_secrets(struct config *config, int argc, char **argv);

/* The option table as --help shows it (fits a screen of 80 columns), and as NAME=value lines with secrets masked. */
void config_print_help(FILE *out, const char *program);
void config_print(FILE *out, const struct config *config);
/* A Markdown table with one row per option; the README's table is compared with it by a test. */
void config_print_markdown(FILE *out);

const char *storage_name(enum storage storage); /* "postgres", "jsonl", "null" */

#endif
