/*
 * Log lines. A line is built in a buffer of fixed size and written by one write(2), so that lines of several processes
 * on one stderr never mix. Values are cut at VALUE_MAX, between characters, and marked with "..."; fields that exceed
 * the line are left out. Every line is valid UTF-8, and valid JSON in the json format, whatever bytes a value holds. If
 * stderr is closed or full, lines are dropped (base/streams.h); the next line written is preceded by one with their
 * number. If stderr is systemd's journal, each line begins with its level in the form of sd-daemon(3), which the
 * journal removes.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/streams.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 4096
#define VALUE_MAX 1024
#define STAMP_BYTES (sizeof "2026-11-22T03:54:40.123" - 1)
#define ATOM_MAX 8 /* the longest form of one character: \u001f */
#define TAIL_MAX 32 /* reserved for the mark of omitted fields and the end of the line */

_Static_assert(LINE_MAX_BYTES <= PIPE_BUF, "a pipe takes a line whole or not at all");

static struct {
	char role[32];
	enum log_level level;
	enum log_format format;
	bool journal; /* stderr is systemd's */
	atomic_ullong dropped; /* lines of this process since the last report */
} log_state = {.role = "hooksd", .level = LOG_INFO, .format = LOG_TEXT};

const char *const log_level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error", NULL};
const char *const log_format_names[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json", NULL};
static const char *const journal_levels[] = {"<7>", "<6>", "<4>", "<3>"};

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t used;
	size_t end; /* writes stop here */
	bool overflow; /* a put() did not fit */
};

/* JOURNAL_STREAM identifies the stream that systemd passed; stderr may have been redirected since. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(own, stream) == 0;
}

void
log_init(const char *role, enum log_level level, enum log_format format)
{
	(void)snprintf(log_state.role, sizeof log_state.role, "%s", role);
	log_state.level = level;
	log_state.format = format;
	log_state.journal = stderr_is_journal();
	log_state.dropped = 0;
}

static void
put(struct line *line, const char *text, size_t len)
{
	if (len > line->end - line->used) {
		line->overflow = true;
		return;
	}
	memcpy(line->bytes + line->used, text, len);
	line->used += len;
}

static void
put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) put_format(struct line *line, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert(len >= 0 && (size_t)len < sizeof text);
	put(line, text, (size_t)len);
}

/* U+0080..U+009F: terminals also obey these control characters. */
static bool
is_c1(const char *text)
{
	return (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
}

/* Writes the next character of *text into atom, escaped if need be, and moves *text past it. Returns atom's length. */
static size_t
next_atom(const char **text, char atom[ATOM_MAX])
{
	const char *at = *text;
	size_t len = utf8_length(at, strnlen(at, 4));

	if (len == 0) {
		*text = at + 1;
		memcpy(atom, "\xef\xbf\xbd", 3); /* U+FFFD for a byte of invalid UTF-8 */
		return 3;
	}
	*text = at + len;

	unsigned char c = (unsigned char)at[0];
	if (c == '"' || c == '\\') {
		atom[0] = '\\';
		atom[1] = (char)c;
		return 2;
	}
	if (c == '\n' || c == '\r' || c == '\t') {
		atom[0] = '\\';
		atom[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
		return 2;
	}
	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(atom, ATOM_MAX, "\\u%04x", c);
	if (is_c1(at))
		return (size_t)snprintf(atom, ATOM_MAX, "\\u%04x", (unsigned char)at[1]);
	memcpy(atom, at, len);
	return len;
}

/* Writes text escaped, cut at VALUE_MAX bytes or at the end of the line. */
static void
put_escaped(struct line *line, const char *text)
{
	size_t room = line->end - line->used;
	size_t limit = line->used + (room < VALUE_MAX ? room : VALUE_MAX);
	size_t mark = sizeof "...\"" - 1; /* and the quote that follows */

	while (*text != '\0') {
		char atom[ATOM_MAX];
		size_t len = next_atom(&text, atom);

		if (line->used + len + mark > limit) {
			put_text(line, "...");
			return;
		}
		put(line, atom, len);
	}
}

static void
put_quoted(struct line *line, const char *text)
{
	put_text(line, "\"");
	put_escaped(line, text);
	put_text(line, "\"");
}

/* Whether a value needs no quotes in a text line. */
static bool
is_plain(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f || is_c1(text))
			return false;
	}
	return true;
}

static void
put_value(struct line *line, const struct log_field *field)
{
	switch (field->kind) {
	case LOG_KIND_INT:
		put_format(line, "%lld", (long long)field->i);
		break;
	case LOG_KIND_UINT:
		put_format(line, "%llu", (unsigned long long)field->u);
		break;
	case LOG_KIND_STR:
		if (field->str == NULL)
			put_text(line, "null");
		else if (log_state.format == LOG_TEXT && is_plain(field->str))
			put_escaped(line, field->str);
		else
			put_quoted(line, field->str);
		break;
	case LOG_KIND_END:
		break;
	}
}

static void
put_key(struct line *line, const char *key)
{
	static const char *const own[] = {"time", "level", "role", "pid", "message"};

	if (log_state.format == LOG_TEXT) {
		put_text(line, " ");
		put_text(line, key);
		put_text(line, "=");
		return;
	}
	put_text(line, ",\"");
	put_text(line, key);
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (strcmp(key, own[i]) == 0)
			put_text(line, "_");
	}
	put_text(line, "\":");
}

static void
put_head(struct line *line, enum log_level level, const char *message)
{
	char stamp[FORMAT_TIME_BYTES];

	format_time(clock_wall_us(), stamp);
	memcpy(stamp + STAMP_BYTES, "Z", sizeof "Z");
	if (log_state.journal)
		put_text(line, journal_levels[level]);

	if (log_state.format == LOG_TEXT) {
		put_text(line, stamp);
		put_format(line, " %s ", log_level_names[level]);
		put_escaped(line, log_state.role);
		put_format(line, "[%ld] ", (long)getpid());
		put_escaped(line, message);
		return;
	}
	put_format(line, "{\"time\":\"%s\"", stamp);
	put_format(line, ",\"level\":\"%s\",\"role\":", log_level_names[level]);
	put_quoted(line, log_state.role);
	put_format(line, ",\"pid\":%ld,\"message\":", (long)getpid());
	put_quoted(line, message);
}

static bool
write_line(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	struct line line;

	line.used = 0;
	line.end = sizeof line.bytes - TAIL_MAX;
	line.overflow = false;
	put_head(&line, level, message);

	for (size_t i = 0; i < count && !line.overflow; i++) {
		size_t before = line.used;

		if (fields[i].kind == LOG_KIND_END)
			continue;
		put_key(&line, fields[i].key);
		put_value(&line, &fields[i]);
		if (line.overflow)
			line.used = before;
	}

	bool cut = line.overflow;
	line.end = sizeof line.bytes;
	if (log_state.format == LOG_JSON)
		put_text(&line, cut ? ",\"fields_left_out\":true}\n" : "}\n");
	else
		put_text(&line, cut ? " ...\n" : "\n");
	return streams_write_stderr(line.bytes, line.used);
}

bool
log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	int saved = errno;
	bool written;

	if (level < log_state.level)
		return true;

	unsigned long long dropped = atomic_exchange(&log_state.dropped, 0);

	/*
	 * Level error, because a dropped line may have been one. If this line is dropped too, its log_write() counts
	 * one: for the present line.
	 */
	written = dropped == 0 || log_error("log lines were dropped", LOG_UINT("lines", dropped));
	if (!written) {
		atomic_fetch_add(&log_state.dropped, dropped);
	} else if (!write_line(level, message, fields, count)) {
		atomic_fetch_add(&log_state.dropped, 1);
		written = false;
	}
	errno = saved;
	return written;
}
