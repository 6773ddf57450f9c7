/*
 * The option table: the rows of config/option_list.def as data, read by the loader, the help, the printers and the
 * tests. Others read struct config (config/config.h).
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* --help=all and docs/configuration.md group the options by these: the word that --help=WORD takes, and the heading. */
#define OPTION_SECTIONS(X)                                                                                             \
	X(STORAGE, "storage", "Storage")                                                                               \
	X(SERVER, "server", "Server")                                                                                  \
	X(PROCESSES, "processes", "Processes")                                                                         \
	X(SPOOL, "spool", "Spool and ring")                                                                            \
	X(LIMITS, "limits", "Limits of a request")                                                                     \
	X(WEBHOOKS, "webhooks", "Webhooks")                                                                            \
	X(LOGGING, "logging", "Logging")

#define OPTION_SECTION_VALUE(id, word, heading) SECTION_##id,
enum option_section { OPTION_SECTIONS(OPTION_SECTION_VALUE) SECTION_COUNT };

enum option_id {
#define OPTION(section, name, ...) OPTION_##name,
#include "config/option_list.def"
	OPTION_COUNT
};

enum option_type {
	/* Strings: option_is_string(). */
	TYPE_DATABASE, /* config/database_url.h */
	TYPE_HOST, /* an address literal or a name */
	TYPE_HOSTS, /* a list of them */
	TYPE_FILE,
	TYPE_DIRECTORY,
	TYPE_SECRET_FILE, /* a file that holds the value of another option: holds */
	TYPE_API_KEY, /* text_is_api_key() */
	TYPE_PASSWORD, /* text_is_password() */
	TYPE_TENANT, /* text_is_tenant() */
	TYPE_USER, /* text_is_user() */
	TYPE_MASTER_KEYS, /* config/master_keys.h: at most .most of them */
	TYPE_NETWORKS, /* config/networks.h */
	TYPE_WAITS, /* config/retry_schedule.h */
	TYPE_ORIGIN, /* of web pages, http or https */
	TYPE_ORIGINS, /* "*", or a list */
	/* Numbers. */
	TYPE_CHOICE, /* one of choices, in any case; stored as its index, the value of an enum */
	TYPE_BOOL,
	TYPE_NUMBER,
	TYPE_SIZE, /* bytes, with or without K, M, G, T, all of them also with i, B or iB: powers of 1024 */
	TYPE_MILLISECONDS, /* a duration: digits, or digits and ms, s, m or h; stored in milliseconds */
	TYPE_SECONDS /* a duration of whole seconds, stored in seconds; 1500ms is refused */
};

/* The processes that need a secret, besides the master: bits. */
enum secret_for {
	SECRET_FOR_NONE = 0,
	SECRET_FOR_WRITER = 1,
	SECRET_FOR_CONTROL = 2,
	SECRET_FOR_PUBLISHER = 4,
	SECRET_FOR_COURIER = 8,
	SECRET_FOR_ACCEPTOR = 16
};

struct option {
	const char *name; /* of the environment variable; the flag is made of it: MAX_BODY_BYTES, --max-body-bytes */
	const char *second_name; /* of the environment variable that is read if the first is not set; NULL: none */
	const char *help; /* one line, no full stop */
	enum option_section section;
	enum option_type type;
	bool common; /* shown by --help; --help=all shows every option */
	bool secret; /* never shown, and wiped by config_wipe_secrets(); its row is made by SECRET */
	unsigned kept_by; /* of a secret: the processes that need it, besides the master; enum secret_for */
	enum option_id holds; /* of a secret file: the option whose value is in it */

	const char *initial; /* the default as a user would write it; NULL: none, or worked out from other options */
	const char *initial_text; /* how a default that is worked out is described */

	const char *unit; /* of a number, for the reader; NULL: none */
	uint64_t least; /* range of a number, size or duration, both ends included */
	uint64_t most;
	bool or_zero; /* 0 is allowed beside least..most; in a duration also as "off" */

	const char *const *choices; /* NULL-terminated */
	const char *const *aliases; /* pairs of another word and the choice it means, NULL-terminated; NULL: none */

	size_t offset; /* of the member in struct config, and its size */
	size_t size;
};

extern const struct option option_table[OPTION_COUNT];

/* Room for any flag with its two dashes and the terminator. */
#define OPTION_FLAG_MAX 32

/* Writes "--max-body-bytes". */
void option_flag(const struct option *option, char out[OPTION_FLAG_MAX]);

/* The option whose flag, without dashes, is name[0..len), in any case and with '_' or '-' alike; or NULL. */
const struct option *option_find(const char *name, size_t len);

/* Writes what a value must be: "a whole number from 0 to 65535". Cut to size bytes, terminator included. */
void option_allowed(const struct option *option, char *out, size_t size);

/* The default as it is shown, or "" for none. */
const char *option_default_text(const struct option *option);

/* Whether the member is a string, owned by the config; otherwise it is a number, an enum or a bool. */
bool option_is_string(const struct option *option);

/*
 * Sets err to a sentence that names the option and, unless it is secret or NULL, the value; fmt says what is wrong.
 * Returns -1.
 */
int option_refuse(const struct option *option, const char *value, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The section that --help=WORD names, in any case, or SECTION_COUNT. */
enum option_section option_section_find(const char *word);

/* "Spool and ring", and the word for --help=WORD, "spool". */
const char *option_section_heading(enum option_section section);
const char *option_section_word(enum option_section section);

#endif
