/*
 * All events of a run have the same length and begin with the parts that change, {"event_id":"...","timestamp":"...
 * These parts are at the same places of each event, where they are overwritten without a look at the rest.
 */
#include "tests/bench/bodies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SESSIONS 200
#define ID_CHARS 36
#define TIME_CHARS 27 /* 2026-11-22T08:00:00.123456Z */
#define SENT_CHARS 20 /* nanoseconds of CLOCK_MONOTONIC */
#define SENT "\"payload\":{\"sent\":\""
#define HEAD_BYTES 640
#define AHEAD_BYTES (8U << 20) /* bytes of the bodies that are made at the start */
#define AHEAD_MIN 2
#define AHEAD_MAX 512

static struct body_spec spec;
static struct body *first, *last; /* the free bodies, the longest unused one first */
static uint64_t random_state;
static uint64_t next_index; /* of new ids */
static uint32_t id_at, time_at; /* their offsets in an event; 0 if it has none */
static uint32_t time_chars;
static char hex[256][2];

static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint32_t
random_below(uint32_t limit)
{
	random_state = mix(random_state);
	return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* Text as tools print it, of exactly that many characters between the quotes of JSON. */
static void
write_text(char *out, size_t chars)
{
	static const char *const words[] = {"the", "tests", "passed", "in", "src/server/main.c", "error:", "0x7ffd",
	    "line", "warning", "expected", "1.25s", "ok", "return", "if", "not", "found", "commit", "build/output.log",
	    "int", "static", "value", "=", "None", "def", "assert", "-", "(3)", "\\n", "\\n", "\\\"quoted\\\""};

	while (chars > 0) {
		const char *word = words[random_below(sizeof words / sizeof *words)];
		size_t len = strlen(word);

		if (len >= chars) {
			memset(out, '.', chars);
			return;
		}
		memcpy(out, word, len);
		out[len] = ' ';
		out += len + 1;
		chars -= len + 1;
	}
}

/* The same for a published event, which begins with its payload. */
static void
write_published(char *out)
{
	char topic[BODIES_TOPIC_MAX + 32];
	int start = sprintf(out, "{" SENT "%0*d\",\"output\":\"", SENT_CHARS, 0);
	int end = snprintf(
	    topic, sizeof topic, "\"},\"topic\":\"%.*s.%u\"}", BODIES_TOPIC_MAX, spec.topic, random_below(spec.topics));

	write_text(out + start, spec.event_bytes - (size_t)(start + end));
	memcpy(out + spec.event_bytes - (size_t)end, topic, (size_t)end + 1);
}

/* Writes one event, with zeros for id and time, and a NUL after it. */
static void
write_event(char *out)
{
	static const char *const types[] = {"tool_execution_started", "tool_execution_completed", "decision_made"};
	static const char *const tools[] = {"Bash", "Edit", "Read", "Grep"};
	const char *type = types[random_below(3)];
	uint32_t session = random_below(SESSIONS);
	char id[64] = "", start[640];
	int len;

	if (spec.topic != NULL) {
		write_published(out);
		return;
	}
	if (spec.event_bytes < BODIES_FULL_EVENT) {
		len = snprintf(start, sizeof start,
		    "{\"event_type\":\"%.14s\",\"session_id\":\"session-%03u\",\"data\":{\"output\":\"", type, session);
	} else {
		if (spec.ids != IDS_NONE)
			snprintf(id, sizeof id, "\"event_id\":\"%0*d\",", ID_CHARS, 0);
		len = snprintf(start, sizeof start,
		    "{%s\"timestamp\":\"%0*d\",\"event_type\":\"%s\",\"session_id\":\"%08x-5e55-4000-8000-%012u\","
		    "\"workflow_id\":\"workflow-%u\",\"data\":{\"tool_name\":\"%s\",\"success\":%s,\"duration_ms\":%u,"
		    "\"output\":\"",
		    id, TIME_CHARS, 0, type, (unsigned)mix(session), session, random_below(1000),
		    tools[random_below(4)], random_below(10) ? "true" : "false", random_below(10000));
	}
	memcpy(out, start, (size_t)len);
	write_text(out + len, spec.event_bytes - (size_t)len - 3);
	memcpy(out + spec.event_bytes - 3, "\"}}", 4);
}

static struct body *
make_body(void)
{
	/* Several events have commas between them and brackets around them. */
	size_t length = spec.events > 1 ? (size_t)spec.events * (spec.event_bytes + 1) + 1 : spec.event_bytes;
	struct body *body = calloc(1, sizeof *body);
	char *at;

	if (body == NULL || (body->request = malloc(HEAD_BYTES + length + 1)) == NULL)
		abort();
	at = body->request;
	at += snprintf(at, HEAD_BYTES,
	    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "%s%s%s\r\n",
	    spec.path, (unsigned)spec.port, length, spec.key != NULL ? "Authorization: Bearer " : "",
	    spec.key != NULL ? spec.key : "", spec.key != NULL ? "\r\n" : "");
	body->bytes = (size_t)(at - body->request) + length;
	for (uint32_t i = 0; i < spec.events; i++) {
		if (spec.events > 1)
			*at++ = i == 0 ? '[' : ',';
		write_event(at);
		at += spec.event_bytes;
	}
	if (spec.events > 1)
		*at = ']';
	return body;
}

static void
write_id(char *out, uint64_t index)
{
	uint64_t high, low;

	if (spec.ids == IDS_ORDERED) {
		high = spec.seed << 16 | 0x7000;
		low = index;
	} else {
		high = (mix(spec.seed ^ mix(index)) & ~UINT64_C(0xf000)) | 0x4000;
		low = mix(high ^ index);
	}
	low = (low & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
	for (int shift = 56; shift >= 0; shift -= 8) {
		memcpy(out, hex[high >> shift & 0xff], 2);
		out += 2;
		if (shift == 32 || shift == 16 || shift == 0)
			*out++ = '-';
	}
	for (int shift = 56; shift >= 0; shift -= 8) {
		memcpy(out, hex[low >> shift & 0xff], 2);
		out += 2;
		if (shift == 48)
			*out++ = '-';
	}
}

/* The seconds are formatted only when they have changed. */
static void
write_time(char out[TIME_CHARS + 1])
{
	static char text[TIME_CHARS + 1];
	static time_t written;
	struct timespec now;
	struct tm utc;

	if (spec.topic != NULL) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		(void)snprintf(out, TIME_CHARS + 1, "%011" PRId64 "%09ld", (int64_t)now.tv_sec, now.tv_nsec);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != written) {
		gmtime_r(&now.tv_sec, &utc);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
		written = now.tv_sec;
	}
	memcpy(out, text, sizeof text);
	for (long us = now.tv_nsec / 1000, at = TIME_CHARS - 2; us > 0; us /= 10, at--)
		out[at] = (char)('0' + us % 10);
}

void
bodies_init(const struct body_spec *wanted)
{
	size_t bytes = (size_t)wanted->events * wanted->event_bytes;
	size_t ahead = AHEAD_BYTES / bytes;

	spec = *wanted;
	random_state = mix(spec.seed);
	next_index = spec.known;
	for (int i = 0; i < 256; i++) {
		hex[i][0] = "0123456789abcdef"[i >> 4];
		hex[i][1] = "0123456789abcdef"[i & 15];
	}
	if (spec.topic != NULL) {
		time_at = sizeof "{" SENT - 1;
		time_chars = SENT_CHARS;
	} else if (spec.event_bytes >= BODIES_FULL_EVENT) {
		time_chars = TIME_CHARS;
		id_at = spec.ids == IDS_NONE ? 0 : sizeof "{\"event_id\":\"" - 1;
		time_at = (id_at == 0 ? 1 : id_at + ID_CHARS + 2) + sizeof "\"timestamp\":\"" - 1;
	}
	for (size_t i = 0; i < AHEAD_MIN || (i < ahead && i < AHEAD_MAX); i++)
		bodies_give(make_body());
}

struct body *
bodies_take(void)
{
	struct body *body = first;
	char time[TIME_CHARS + 1];
	char *event;

	if (body == NULL)
		body = make_body();
	else if ((first = body->next) == NULL)
		last = NULL;
	if (time_at == 0)
		return body;
	write_time(time);
	event =
	    body->request + body->bytes - (spec.events == 1 ? 0 : 1) - (size_t)spec.events * (spec.event_bytes + 1) + 1;
	for (uint32_t i = 0; i < spec.events; i++, event += spec.event_bytes + 1) {
		memcpy(event + time_at, time, time_chars);
		if (id_at != 0)
			write_id(event + id_at, random_below(100) < spec.duplicates_percent
						    ? mix(random_state) % spec.known
						    : next_index++);
	}
	return body;
}

void
bodies_give(struct body *body)
{
	body->next = NULL;
	if (last == NULL)
		first = body;
	else
		last->next = body;
	last = body;
}
