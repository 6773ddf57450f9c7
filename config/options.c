/* The option table and what can be told from a row alone. Values are the business of config/option_value.c. */
#include "config/options.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define FIELD(member) .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)

/* Each in the order of its enum. */
static const char *const storage_names[] = {"auto", "postgres", "jsonl", "null", NULL};
static const char *const ack_names[] = {"durable", "queued", NULL};
static const char *const unknown_names[] = {"keep", "ignore", "refuse", NULL};
static const char *const log_level_names[] = {"debug", "info", "warning", "error", NULL};
static const char *const log_format_names[] = {"text", "json", NULL};

/* Of syslog, Python, Java and others. */
static const char *const log_level_aliases[] = {
    "warn", "warning", "err", "error", "critical", "error", "fatal", "error", "notice", "info", "trace", "debug", NULL};
static const char *const storage_aliases[] = {"postgresql", "postgres", NULL};

/* clang-format off */
const struct option option_table[OPTION_COUNT] = {
	[OPTION_DATABASE_URL] = {
		.name = "DATABASE_URL", .type = OPTION_TYPE_DATABASE, FIELD(database_url), .secret = true,
		.help = "PostgreSQL, as postgresql://user:password@host/name"},
	[OPTION_STORAGE_TYPE] = {
		.name = "STORAGE_TYPE", .type = OPTION_TYPE_CHOICE, .choices = storage_names, .aliases = storage_aliases, FIELD(storage),
		.initial = "auto", .help = "auto|postgres|jsonl, or null for benchmarks"},
	[OPTION_AUTO_MIGRATE] = {
		.name = "AUTO_MIGRATE", .type = OPTION_TYPE_BOOL, FIELD(auto_migrate),
		.initial = "true", .help = "make and upgrade the tables at start"},
	[OPTION_PARTITIONS_AHEAD] = {
		.name = "PARTITIONS_AHEAD", .type = OPTION_TYPE_NUMBER, .unit = "months", FIELD(partitions_ahead),
		.least = 0, .most = PARTITIONS_AHEAD_MAX,
		.initial = "3", .help = "coming months whose tables are made ahead"},
	[OPTION_JSONL_PATH] = {
		.name = "JSONL_PATH", .type = OPTION_TYPE_FILE, FIELD(jsonl_path),
		.initial = ".agentic/analytics/events.jsonl", .help = "the events' file"},
	[OPTION_JSONL_ROTATE_BYTES] = {
		.name = "JSONL_ROTATE_BYTES", .type = OPTION_TYPE_SIZE, FIELD(jsonl_rotate_bytes),
		.least = 4 * KIB, .most = 1024 * GIB, .zero_too = true,
		.initial = "0", .help = "size at which a new file begins, 0 for never"},
	[OPTION_HOST] = {
		.name = "HOST", .type = OPTION_TYPE_HOST, FIELD(host),
		.initial = "0.0.0.0", .help = "address to listen on, :: for IPv6 and IPv4"},
	[OPTION_PORT] = {
		.name = "PORT", .type = OPTION_TYPE_NUMBER, FIELD(port), .least = 0, .most = 65535,
		.initial = "8080", .help = "port to listen on, 0 for any that is free"},
	[OPTION_ACCEPTORS] = {
		.name = "ACCEPTORS", .type = OPTION_TYPE_NUMBER, .unit = "processes", FIELD(acceptors),
		.least = 1, .most = ACCEPTORS_MAX,
		.initial_text = "CPUs allowed", .help = "processes that take requests"},
	[OPTION_WRITERS] = {
		.name = "WRITERS", .type = OPTION_TYPE_NUMBER, .unit = "processes", FIELD(writers),
		.least = 1, .most = WRITERS_MAX,
		.initial_text = "2 for postgres, else 1", .help = "processes that store"},
	[OPTION_ACK] = {
		.name = "ACK", .type = OPTION_TYPE_CHOICE, .choices = ack_names, FIELD(ack),
		.initial = "durable", .help = "answer when stored (durable) or queued"},
	[OPTION_DATA_DIR] = {
		.name = "DATA_DIR", .type = OPTION_TYPE_DIRECTORY, FIELD(data_dir),
		.initial = ".agentic/hooksd", .help = "the service's own files"},
	[OPTION_STORE_TIMEOUT_MS] = {
		.name = "STORE_TIMEOUT_MS", .type = OPTION_TYPE_NUMBER, .unit = "ms", FIELD(store_timeout_ms),
		.least = 100, .most = 3600000,
		.initial = "10000", .help = "longest statement, or wait without a spool"},
	[OPTION_SPOOL_AFTER_MS] = {
		.name = "SPOOL_AFTER_MS", .type = OPTION_TYPE_NUMBER, .unit = "ms", FIELD(spool_after_ms),
		.least = 0, .most = 3600000,
		.initial = "1000", .help = "wait for PostgreSQL before spooling"},
	[OPTION_SPOOL_MAX_BYTES] = {
		.name = "SPOOL_MAX_BYTES", .type = OPTION_TYPE_SIZE, FIELD(spool_max_bytes),
		.least = 1 * MIB, .most = 64 * 1024 * GIB, .zero_too = true,
		.initial = "1GiB", .help = "most that is spooled meanwhile, 0: nothing"},
	[OPTION_RING_PATH] = {
		.name = "RING_PATH", .type = OPTION_TYPE_FILE, FIELD(ring_path),
		.initial_text = "/dev/shm/hooksd-PORT.ring", .help = "the shared ring's file"},
	[OPTION_RING_BYTES] = {
		.name = "RING_BYTES", .type = OPTION_TYPE_SIZE, FIELD(ring_bytes),
		.least = 1 * MIB, .most = 64 * GIB,
		.initial_text = "64MiB, more if needed", .help = "size of the ring file"},
	[OPTION_MAX_BODY_BYTES] = {
		.name = "MAX_BODY_BYTES", .type = OPTION_TYPE_SIZE, FIELD(max_body_bytes),
		.least = 1 * KIB, .most = 1 * GIB,
		.initial = "8MiB", .help = "largest request body"},
	[OPTION_MAX_EVENT_BYTES] = {
		.name = "MAX_EVENT_BYTES", .type = OPTION_TYPE_SIZE, FIELD(max_event_bytes),
		.least = 1 * KIB, .most = 1 * GIB,
		.initial = "4MiB", .help = "largest event, at most MAX_BODY_BYTES"},
	[OPTION_MAX_BATCH_EVENTS] = {
		.name = "MAX_BATCH_EVENTS", .type = OPTION_TYPE_NUMBER, .unit = "events", FIELD(max_batch_events),
		.least = 1, .most = 1000000,
		.initial = "10000", .help = "most events in a request"},
	[OPTION_UNKNOWN_FIELDS] = {
		.name = "UNKNOWN_FIELDS", .type = OPTION_TYPE_CHOICE, .choices = unknown_names, FIELD(unknown_fields),
		.initial = "keep", .help = "unknown fields: keep in data|ignore|refuse"},
	[OPTION_CORS_ORIGINS] = {
		.name = "CORS_ORIGINS", .type = OPTION_TYPE_ORIGINS, FIELD(cors_origins),
		.help = "web pages whose scripts may post events"},
	[OPTION_IDLE_TIMEOUT_SECONDS] = {
		.name = "IDLE_TIMEOUT_SECONDS", .type = OPTION_TYPE_NUMBER, .unit = "seconds",
		FIELD(idle_timeout_seconds), .least = 1, .most = 86400,
		.initial = "620", .help = "longest a connection may rest"},
	[OPTION_REQUEST_TIMEOUT_SECONDS] = {
		.name = "REQUEST_TIMEOUT_SECONDS", .type = OPTION_TYPE_NUMBER, .unit = "seconds",
		FIELD(request_timeout_seconds), .least = 1, .most = 3600,
		.initial = "30", .help = "longest a request may take to arrive"},
	[OPTION_DRAIN_TIMEOUT_SECONDS] = {
		.name = "DRAIN_TIMEOUT_SECONDS", .type = OPTION_TYPE_NUMBER, .unit = "seconds",
		FIELD(drain_timeout_seconds), .least = 1, .most = 3600,
		.initial = "25", .help = "longest wait for an orderly stop"},
	[OPTION_STUCK_AFTER_SECONDS] = {
		.name = "STUCK_AFTER_SECONDS", .type = OPTION_TYPE_NUMBER, .unit = "seconds",
		FIELD(stuck_after_seconds), .least = 1, .most = 3600, .zero_too = true,
		.initial = "60", .help = "silence that gets a process replaced, 0: never"},
	[OPTION_LOG_LEVEL] = {
		.name = "LOG_LEVEL", .type = OPTION_TYPE_CHOICE, .choices = log_level_names, .aliases = log_level_aliases, FIELD(log_level),
		.initial = "info", .help = "debug|info|warning|error"},
	[OPTION_LOG_FORMAT] = {
		.name = "LOG_FORMAT", .type = OPTION_TYPE_CHOICE, .choices = log_format_names, FIELD(log_format),
		.initial = "text", .help = "text|json, one line each, on stderr"},
};
/* clang-format on */

_Static_assert(STORAGE_NULL == 3 && ACK_QUEUED == 1 && UNKNOWN_REFUSE == 2 && LOG_ERROR == 3 && LOG_JSON == 1,
    "names are in enum order");

const char *
storage_name(enum storage storage)
{
	assert((unsigned)storage <= STORAGE_NULL);
	return storage_names[storage];
}

void
option_flag(const struct option *option, char out[OPTION_FLAG_MAX])
{
	size_t used = 0;

	assert(strlen(option->name) + sizeof "--" <= OPTION_FLAG_MAX);
	out[used++] = '-';
	out[used++] = '-';
	for (const char *c = option->name; *c != '\0'; c++)
		out[used++] = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
	out[used] = '\0';
}

static bool
same_name(const char *name, const char *given, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = given[i] == '-' ? '_' : (char)toupper((unsigned char)given[i]);
		if (name[i] == '\0' || name[i] != c)
			return false;
	}
	return name[len] == '\0';
}

const struct option *
option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (same_name(option_table[i].name, name, len))
			return &option_table[i];
	}
	return NULL;
}

/* The number with the largest binary unit that keeps it whole. */
static int
format_size(char *out, size_t size, uint64_t bytes)
{
	if (bytes >= GIB && bytes % GIB == 0)
		return snprintf(out, size, "%" PRIu64 "GiB", bytes / GIB);
	if (bytes >= MIB && bytes % MIB == 0)
		return snprintf(out, size, "%" PRIu64 "MiB", bytes / MIB);
	if (bytes >= KIB && bytes % KIB == 0)
		return snprintf(out, size, "%" PRIu64 "KiB", bytes / KIB);
	return snprintf(out, size, "%" PRIu64, bytes);
}

void
option_allowed(const struct option *option, char *out, size_t size)
{
	const char *zero = option->zero_too ? "0 or " : "";
	char least[32], most[32];
	size_t used;

	switch (option->type) {
	case OPTION_TYPE_DATABASE:
		(void)snprintf(out, size, "postgresql://user:password@host:port/name or \"host=... dbname=...\"");
		break;
	case OPTION_TYPE_HOST:
		(void)snprintf(out, size, "an IPv4 or IPv6 address (without brackets) or a host name");
		break;
	case OPTION_TYPE_FILE:
		(void)snprintf(out, size, "the path of a file, without control characters");
		break;
	case OPTION_TYPE_DIRECTORY:
		(void)snprintf(out, size, "the path of a directory, without control characters");
		break;
	case OPTION_TYPE_ORIGINS:
		(void)snprintf(out, size, "* or origins like https://app.example, separated by commas");
		break;
	case OPTION_TYPE_CHOICE:
		used = (size_t)snprintf(out, size, "one of");
		for (size_t i = 0; option->choices[i] != NULL && used < size; i++)
			used +=
			    (size_t)snprintf(out + used, size - used, "%s %s", i > 0 ? "," : "", option->choices[i]);
		break;
	case OPTION_TYPE_BOOL:
		(void)snprintf(out, size, "true or false, also yes, no, on, off, 1, 0");
		break;
	case OPTION_TYPE_NUMBER:
		(void)snprintf(
		    out, size, "a whole number %sfrom %" PRIu64 " to %" PRIu64, zero, option->least, option->most);
		break;
	case OPTION_TYPE_SIZE:
		(void)format_size(least, sizeof least, option->least);
		(void)format_size(most, sizeof most, option->most);
		(void)snprintf(
		    out, size, "%sa size from %s to %s, in bytes or like 512K, 64MiB, 1G", zero, least, most);
		break;
	}
}

const char *
option_default_text(const struct option *option)
{
	if (option->initial_text != NULL)
		return option->initial_text;
	return option->initial != NULL ? option->initial : "";
}
