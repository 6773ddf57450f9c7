/*
 * The option table: one row per option, read by the parser, --help, --print-config, the Markdown table and the
 * tests. Private to base/config*.c, base/option*.c and the unit tests; everybody else reads struct config.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"

/* In the order in which they are shown. */
enum option_id {
	OPTION_DATABASE_URL,
	OPTION_STORAGE_TYPE,
	OPTION_AUTO_MIGRATE,
	OPTION_PARTITIONS_AHEAD,
	OPTION_JSONL_PATH,
	OPTION_JSONL_ROTATE_BYTES,
	OPTION_HOST,
	OPTION_PORT,
	OPTION_ACCEPTORS,
	OPTION_WRITERS,
	OPTION_ACK,
	OPTION_DATA_DIR,
	OPTION_STORE_TIMEOUT_MS,
	OPTION_SPOOL_AFTER_MS,
	OPTION_SPOOL_MAX_BYTES,
	OPTION_RING_PATH,
	OPTION_RING_BYTES,
	OPTION_MAX_BODY_BYTES,
	OPTION_MAX_EVENT_BYTES,
	OPTION_MAX_BATCH_EVENTS,
	OPTION_UNKNOWN_FIELDS,
	OPTION_CORS_ORIGINS,
	OPTION_IDLE_TIMEOUT_SECONDS,
	OPTION_REQUEST_TIMEOUT_SECONDS,
	OPTION_DRAIN_TIMEOUT_SECONDS,
	OPTION_STUCK_AFTER_SECONDS,
	OPTION_LOG_LEVEL,
	OPTION_LOG_FORMAT,
	OPTION_COUNT
};

enum option_type {
	OPTION_TYPE_DATABASE, /* config/database_url.h */
	OPTION_TYPE_HOST, /* address literal or name */
	OPTION_TYPE_FILE,
	OPTION_TYPE_DIRECTORY,
	OPTION_TYPE_ORIGINS, /* of web pages: "*", or some */
	OPTION_TYPE_CHOICE, /* one of choices, in any case; stored as its index in an enum */
	OPTION_TYPE_BOOL,
	OPTION_TYPE_NUMBER,
	OPTION_TYPE_SIZE /* bytes, with or without K, M, G, T, all of them also with i, B or iB: powers of 1024 */
};

struct option {
	const char *name; /* of the environment variable; the flag is made of it: MAX_BODY_BYTES, --max-body-bytes */
	enum option_type type;
	const char *unit; /* of a number, for the reader; NULL: none */
	uint64_t least; /* range of a number or a size, both ends included */
	uint64_t most;
	bool zero_too; /* 0 is allowed beside least..most */
	const char *initial; /* the default as a user would write it; NULL: none, or worked out from other options */
	const char *initial_text; /* how a default that is worked out is described */
	const char *help; /* one line, no full stop */
	const char *const *choices; /* NULL-terminated */
	const char *const
	    *aliases; /* pairs of a word that others use and the choice that it means; NULL-terminated, or NULL */
	size_t offset; /* of the field in struct config, and its size */
	size_t size;
	bool secret; /* never shown, and wiped by config_forget_secrets */
};

extern const struct option option_table[OPTION_COUNT];

/* Room for any flag with its two dashes and the terminator. */
#define OPTION_FLAG_MAX 32

/* "--max-body-bytes". */
void option_flag(const struct option *option, char out[OPTION_FLAG_MAX]);

/* The option whose flag's name (without dashes; any case, '_' for '-' too) is name[0..len), or NULL. */
const struct option *option_find(const char *name, size_t len);

/* What a value must be: "a whole number from 0 to 65535". Cut to size bytes, terminator included. */
void option_allowed(const struct option *option, char *out, size_t size);

/* The default as it is shown, or "" for none. */
const char *option_default_text(const struct option *option);

/*
 * Reads a value, not empty, into the option's field of *config; a string there before is freed. <0: not allowed;
 * the sentence names option and value, but not the value of a secret.
 */
int option_set(const struct option *option, const char *value, struct config *config, struct error *err);

/* true, yes, on, 1, false, no, off, 0 in any case. False for anything else, *value untouched. */
bool option_read_bool(const char *text, bool *value);

/* Writes the value in *config as option_set would take it, with secrets masked; nothing for an unset string. */
void option_print(FILE *out, const struct option *option, const struct config *config);

/* The same error sentence for rules between options. value NULL: left out. Returns -1. */
int option_refuse(const struct option *option, const char *value, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether the field is a string, owned by the config; otherwise it is a number, an enum or a bool. */
bool option_is_string(const struct option *option);

/* Where a string is in *config, and what number, enum or bool there is. */
char **option_string(const struct option *option, struct config *config);
uint64_t option_number(const struct option *option, const struct config *config);

#endif
