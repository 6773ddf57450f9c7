/*
 * Log lines on stderr: one write(2) a line, as `key=value` text or as one JSON object.
 *
 *   log_info("listening", LOG_STR("host", host), LOG_INT("port", port));
 *   2026-11-22T03:54:40.123Z info master[12] listening host=0.0.0.0 port=8080
 *
 * Safe in every process, not in a signal handler (this project has none: signals are loop events).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* The names of both in the order of their enums, NULL-terminated: "warning", "json". */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_UINT };

struct log_field {
	const char *key;
	enum log_kind kind;
	const char *str; /* borrowed for the call; NULL prints as null */
	int64_t i;
	uint64_t u;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .str = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .i = (v)})
#define LOG_UINT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_UINT, .u = (v)})
#define LOG_NOTHING ((struct log_field){.kind = LOG_KIND_END}) /* writes no field: ends a list that a macro makes */

/*
 * Call it in each process before its first line. It forgets the dropped lines of the parent. role ("master",
 * "acceptor-0") is copied, cut at 31 bytes.
 */
void log_init(const char *role, enum log_level level, enum log_format format);

/*
 * Writes one line unless level is below the configured one. Keeps errno. Escapes control characters in values. False:
 * the line is lost; the next line that can be written is preceded by "log lines were dropped" with their number. Any
 * thread.
 */
bool log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define LOG_AT(level, message, ...)                                                                                    \
	log_write((level), (message), (const struct log_field[]){{.kind = LOG_KIND_END}, ##__VA_ARGS__},               \
	    sizeof((const struct log_field[]){{.kind = LOG_KIND_END}, ##__VA_ARGS__}) / sizeof(struct log_field))

#define log_debug(message, ...) LOG_AT(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...) LOG_AT(LOG_INFO, message, ##__VA_ARGS__)
#define log_warning(message, ...) LOG_AT(LOG_WARNING, message, ##__VA_ARGS__)
#define log_error(message, ...) LOG_AT(LOG_ERROR, message, ##__VA_ARGS__)

#endif
