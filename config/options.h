/*
 * The option table: the rows of config/option_list.def as data, for the loader, the help, the printers and the tests.
 * All other code reads struct config (config/config.h).
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The groups of --help=all and of docs/configuration.md: the WORD of --help=WORD, and the heading. */
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
	TYPE_HOSTS, /* a list of such hosts */
	TYPE_FILE,
	TYPE_DIRECTORY,
	TYPE_SECRET_FILE, /* the path of a file with the value of the option in .holds */
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
	TYPE_SIZE, /* bytes, or a number with K, M, G, T, each also with i, B or iB: powers of 1024 */
	TYPE_MILLISECONDS, /* a duration: digits, or digits and ms, s, m or h; stored in milliseconds */
	TYPE_SECONDS /* a duration of whole seconds, stored in seconds; 1500ms is refused */
};

/* Bits: the processes, besides the master, that need a secret. */
enum secret_for {
	SECRET_FOR_NONE = 0,
	SECRET_FOR_WRITER = 1,
	SECRET_FOR_CONTROL = 2,
	SECRET_FOR_PUBLISHER = 4,
	SECRET_FOR_COURIER = 8,
	SECRET_FOR_ACCEPTOR = 16,
	SECRET_FOR_HOOK_STREAMS = 32 /* control, where it reads hook events */
};

struct option {
	const char *name; /* the environment variable; the flag is made from it: MAX_BODY_BYTES, --max-body-bytes */
	const char *second_name; /* the environment variable to read if name is not set; NULL: none */
	const char *help; /* one line, no full stop */
	enum option_section section;
	enum option_type type;
	bool common; /* shown by --help; --help=all shows every option */
	bool secret; /* never shown, and wiped by config_wipe_secrets(); its row is made by SECRET */
	unsigned kept_by; /* for a secret: its enum secret_for bits */
	enum option_id holds; /* for a secret file: the option whose value it holds */

	const char *initial; /* the default as a user would write it; NULL: none, or computed from other options */
	const char *initial_text; /* description of a computed default */

	const char *unit; /* of a number, for display; NULL: none */
	uint64_t least; /* range of a number, size or duration, both ends included */
	uint64_t most;
	bool or_zero; /* 0 is allowed besides least..most; for a duration also "off" */

	const char *const *choices; /* NULL-terminated */
	const char *const *aliases; /* pairs of an alias and its choice, NULL-terminated; NULL: none */

	size_t offset; /* of the member in struct config */
	size_t size;
};

extern const struct option option_table[OPTION_COUNT];

/* Size of any flag with its two dashes and terminator. */
#define OPTION_FLAG_MAX 32

/* Writes "--max-body-bytes". */
void option_flag(const struct option *option, char out[OPTION_FLAG_MAX]);

/* The option whose flag without dashes is name[0..len), or NULL. Case is ignored, and '_' equals '-'. */
const struct option *option_find(const char *name, size_t len);

/* Writes a phrase for the allowed values: "a whole number from 0 to 65535". Cut to size bytes with the terminator. */
void option_allowed(const struct option *option, char *out, size_t size);

/* The default for display, or "" for none. */
const char *option_default_text(const struct option *option);

/* Whether the member is a string, owned by the config; otherwise it is a number, an enum or a bool. */
bool option_is_string(const struct option *option);

/*
 * Sets err to a sentence that names the option and, unless it is secret or NULL, the value; fmt describes the fault.
 * Returns -1.
 */
int option_refuse(const struct option *option, const char *value, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The section with that word, in any case, or SECTION_COUNT. */
enum option_section option_section_find(const char *word);

/* "Spool and ring", and the word for --help=WORD, "spool". */
const char *option_section_heading(enum option_section section);
const char *option_section_word(enum option_section section);

#endif
