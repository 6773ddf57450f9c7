/*
 * Arbitrary bodies through decode_body(). For every input:
 *
 *   - the same body gives the same result, wherever it is written and however often;
 *   - it needs exactly the space of its records, and no byte is written past that;
 *   - whether a body is valid does not depend on the space;
 *   - syntax errors are found exactly where the scanner alone finds them;
 *   - each record passes its check and keeps every promise about strings, data, flags and time;
 *   - data that is decoded again does not change;
 *   - unknown fields are added after the members of data, each name once, and change nothing else;
 *   - a lenient request is accepted as a strict one if nothing is wrong, and reports errors otherwise;
 *   - runs of plain characters end at the same byte by vectors and by words.
 *
 * The first byte of an input selects the kind of body, the limits and the mode. The rest is the body, and is also read
 * as headers.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_run.h"
#include "base/utf8.h"
#include "ingest/decode.h"
#include "ingest/headers.h"
#include "event/scan.h"
#include "ingest/timestamp.h"
#include "event/record.h"
#include "tests/fuzz/target.h"

#define MAX_EVENTS 400
#define NOW_US 1717245296123456

static struct uuid_source ids;
static struct decode_env env;

/* Ids follow from the number of the call. The pool of random bytes lasts for MAX_EVENTS of them. */
static enum decode_status
decode(const char *body, size_t len, enum body_kind kind, void *out, size_t capacity, struct decode_result *result)
{
	_Static_assert(MAX_EVENTS * 8 <= sizeof ids.pool, "the pool must not be refilled");
	memset(&ids, 0, sizeof ids);
	return decode_body((struct span){body, len}, kind, &env, (struct decode_space){out, capacity}, result);
}

static void
check_text(struct span text, size_t max_chars)
{
	size_t chars = 0;

	for (size_t at = 0; at < text.len; chars++) {
		size_t len = utf8_length(text.base + at, text.len - at);

		assert(len > 0 && text.base[at] != '\0');
		at += len;
	}
	assert(chars <= max_chars);
}

static void
check_data_again(struct span data)
{
	static const char before[] = "{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":";
	size_t len = sizeof before - 1 + data.len + 1, capacity = record_size(2 + data.len);
	char *body = malloc(len), *out = malloc(capacity), *p = body;
	struct decode_env saved = env;
	struct decode_result result;
	struct span again;

	assert(body != NULL && out != NULL);
	p = mempcpy(p, before, sizeof before - 1);
	p = mempcpy(p, data.base, data.len);
	*p = '}';
	env.max_event_bytes = len;
	assert(decode(body, len, BODY_EVENT, out, capacity, &result) == DECODE_OK);
	env = saved;
	again = record_data((const struct record *)(const void *)out);
	assert(again.len == data.len && memcmp(again.base, data.base, data.len) == 0);
	free(body);
	free(out);
}

static void
check_record(const struct record *record)
{
#define MAX_CHARS(symbol, key, limit, ...) [RECORD_##symbol] = limit,
	static const size_t max_chars[RECORD_STRINGS] = {HOOK_EVENT_FIELDS(MAX_CHARS, NO_FIELD, NO_FIELD)};
	struct span data = record_data(record);
	struct scan scan;
	struct json value;

	for (int i = 0; i < RECORD_STRINGS; i++)
		check_text(record_string(record, (enum record_string)i), max_chars[i]);
	assert(record_string(record, RECORD_EVENT_TYPE).base != NULL);
	assert(record_string(record, RECORD_SESSION_ID).base != NULL);
	assert(record->timestamp_us >= TIMESTAMP_MIN_US && record->timestamp_us <= TIMESTAMP_MAX_US);
	assert(record->received_us == NOW_US);

	assert(scan_begin(&scan, data.base, data.len) && scan_value(&scan, &value) && scan_finish(&scan));
	assert(value.type == JSON_OBJECT && value.tight == data.len);
	assert(value.unsafe == ((record->flags & RECORD_UNSAFE_ESCAPES) != 0));
	check_data_again(data);
}

static void
check_errors(const struct decode_result *result, size_t body_len)
{
	assert(result->error_count > 0 && result->error_count <= DECODE_ERRORS_MAX);
	assert(result->errors_found == result->error_count ||
	       (result->errors_found > DECODE_ERRORS_MAX && result->error_count == DECODE_ERRORS_MAX));
	for (uint32_t i = 0; i < result->error_count; i++) {
		const struct decode_error *error = &result->errors[i];
		bool syntax = strcmp(error->type, "json_invalid") == 0;

		assert(error->msg != NULL && error->index >= -1);
		assert(syntax == (error->reason != NULL));
		assert(syntax ? error->position >= 0 && (size_t)error->position <= body_len : error->position == -1);
		assert(!syntax || result->error_count == 1 || (env.lenient && error->index >= 0));
		assert((error->cause == CAUSE_JSON) == syntax);
		assert(i == 0 || error->index >= result->errors[i - 1].index);
	}
}

/* All texts are static, so that equal texts have equal addresses. */
static void
check_same_errors(const struct decode_result *one, const struct decode_result *two)
{
	assert(one->error_count == two->error_count && one->errors_found == two->errors_found);
	assert(memcmp(one->rejected, two->rejected, sizeof one->rejected) == 0);
	for (uint32_t i = 0; i < one->error_count; i++) {
		const struct decode_error *a = &one->errors[i], *b = &two->errors[i];

		assert(a->type == b->type && a->msg == b->msg && a->reason == b->reason && a->field == b->field);
		assert(a->key.base == b->key.base && a->key.len == b->key.len && a->cause == b->cause);
		assert(a->index == b->index && a->position == b->position && a->limit == b->limit);
	}
}

static bool
scans(struct scan *scan, const char *body, size_t len, bool nonfinite_ok)
{
	size_t mark = len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct json value;

	if (!scan_begin(scan, body + mark, len - mark))
		return false;
	scan->nonfinite_ok = nonfinite_ok;
	return scan_value(scan, &value) && scan_finish(scan);
}

/* The decoder's message may go on where the scanner's ends. */
static bool
begins_with(const char *reason, const char *text)
{
	return strncmp(reason, text, strlen(text)) == 0;
}

/*
 * The walk through the events and the scanner's through the whole body must agree. They may differ about depth, which
 * begins anew in each field, and about NaN, because only the walk knows that it is in data.
 */
static void
check_syntax(const char *body, size_t len, const struct decode_result *result)
{
	struct scan scan;

	if (result->error_count > 0 && result->errors[0].reason != NULL) {
		assert(!scans(&scan, body, len, false));
		assert(strcmp(scan.reason, "nested too deep") == 0 || strncmp(scan.reason, "NaN", 3) == 0 ||
		       strncmp(result->errors[0].reason, "UTF-16", 6) == 0 ||
		       (begins_with(result->errors[0].reason, scan.reason) &&
			   scan.at - body == result->errors[0].position));
	} else {
		assert(scans(&scan, body, len, true) || strcmp(scan.reason, "nested too deep") == 0);
	}
}

static void
check_accepted(const char *body, size_t len, enum body_kind kind, const char *out, const struct decode_result *result)
{
	size_t needed = result->bytes, at = 0;
	char *exact = malloc(needed > 0 ? needed : 1);
	struct decode_result other;

	assert(exact != NULL && result->sanitised <= result->events && result->unknown <= result->events);
	assert(env.lenient || (result->error_count == 0 && result->errors_found == 0));
	assert(env.unknown != UNKNOWN_REFUSE || result->unknown == 0);
	if (result->error_count > 0)
		check_errors(result, len);
	for (uint32_t i = 0; i < result->events; i++) {
		const struct record *record = (const struct record *)(const void *)(out + at);

		assert(record_check(record, needed - at));
		check_record(record);
		at += record->length;
	}
	assert(at == needed);

	assert(decode(body, len, kind, exact, needed, &other) == DECODE_OK);
	assert(other.events == result->events && other.bytes == needed && other.sanitised == result->sanitised);
	assert(memcmp(exact, out, needed) == 0);
	check_same_errors(&other, result);
	free(exact);

	if (needed > 0) {
		exact = malloc(needed - 8);
		assert(exact != NULL);
		assert(decode(body, len, kind, exact, needed - 8, &other) == DECODE_NO_SPACE);
		assert(other.events == 0 && other.bytes == 0 && other.error_count == 0);
		free(exact);
	}
}

/* The same body with its unknown fields ignored: the data of each record is how that of the other one begins. */
static void
check_unknown(const char *body, size_t len, enum body_kind kind, const char *out, const struct decode_result *result)
{
	struct decode_env saved = env;
	struct decode_result other;
	char *ignoring = malloc(result->bytes);
	size_t at = 0, other_at = 0;

	env.unknown = UNKNOWN_IGNORE;
	if (result->bytes > 0 && decode(body, len, kind, ignoring, result->bytes, &other) == DECODE_OK) {
		/* An unknown field may hold NaN, which is accepted only when the field is kept. */
		bool same = other.events == result->events;

		assert(same || env.lenient);
		for (uint32_t i = 0; same && i < result->events; i++) {
			const struct record *kept = (const struct record *)(const void *)(out + at);
			const struct record *bare = (const struct record *)(const void *)(ignoring + other_at);
			struct span data = record_data(bare);

			assert(record_data(kept).len >= data.len);
			assert(memcmp(record_data(kept).base, data.base, data.len - 1) == 0);
			at += kept->length;
			other_at += bare->length;
		}
	}
	env = saved;
	free(ignoring);
}

/* Strict and lenient results are the same when nothing is wrong, and only then. */
static void
check_lenient(const char *body, size_t len, enum body_kind kind, enum decode_status status, const char *out,
    const struct decode_result *result, size_t capacity)
{
	struct decode_env saved = env;
	struct decode_result other;
	char *others = malloc(capacity);
	enum decode_status other_status;

	assert(others != NULL);
	env.lenient = !env.lenient;
	other_status = decode(body, len, kind, others, capacity, &other);
	if (status == DECODE_OK && result->error_count == 0) {
		assert(other_status == DECODE_OK && other.error_count == 0 && other.bytes == result->bytes);
		assert(memcmp(out, others, result->bytes) == 0);
	} else if (other_status == DECODE_OK) {
		assert(status != DECODE_OK && other.error_count > 0 && env.lenient);
	}
	env = saved;
	free(others);
}

static void
check_headers(const char *value, size_t len)
{
	char key[IDEMPOTENCY_KEY_MAX];
	size_t key_len = idempotency_key_parse(value, len, key);

	(void)prefer_handling(value, len);
	assert(key_len <= len && key_len <= IDEMPOTENCY_KEY_MAX);
	for (size_t i = 0; i < key_len; i++)
		assert(key[i] > ' ' && key[i] <= '~');
}

static void
check_plain(const char *body, size_t len)
{
	for (const char *p = body, *end = body + len; p < end; p++) {
		const char *stop = json_run_end(p, end);

		assert(stop == json_run_end_words(p, end));
		p = stop;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decode_result result, other;
	enum decode_status status;
	enum body_kind kind;
	size_t len, capacity;
	const char *body;
	char *out;

	if (size == 0)
		return 0;
	kind = (enum body_kind)(data[0] % 3);
	env = (struct decode_env){.max_event_bytes = 1 << 20,
	    .max_events = MAX_EVENTS,
	    .now_us = NOW_US,
	    .timestamp_us = NOW_US,
	    .ids = &ids};
	/* The bytes 0, 1 and 2 select the ordinary case. */
	env.unknown = (enum unknown_action)(data[0] / 3 % 3);
	env.lenient = data[0] / 9 % 2 == 1;
	if (data[0] / 18 % 2 == 1)
		env.key = (struct span){"chunk-1", 7};
	if (data[0] >= 0x80) {
		env.max_event_bytes = 100;
		env.max_events = 3;
	}
	body = (const char *)data + 1;
	len = size - 1;

	/*
	 * Enough for the longest record of the shortest text: each event takes more than 24 bytes, and NaN may become
	 * null.
	 */
	capacity = 8 * len + 64;
	out = malloc(capacity);
	assert(out != NULL);
	status = decode(body, len, kind, out, capacity, &result);
	assert(status != DECODE_NO_SPACE);
	check_lenient(body, len, kind, status, out, &result, capacity);
	if (status == DECODE_OK) {
		check_accepted(body, len, kind, out, &result);
		if (env.unknown == UNKNOWN_KEEP)
			check_unknown(body, len, kind, out, &result);
	} else {
		assert(result.events == 0 && result.bytes == 0 && result.sanitised == 0);
		check_errors(&result, len);
		assert(decode(body, len, kind, NULL, 0, &other) == status);
		check_same_errors(&other, &result);
	}
	check_headers(body, len);
	check_plain(body, len);
	if (kind != BODY_NDJSON && status != DECODE_TOO_LARGE)
		check_syntax(body, len, &result);
	free(out);
	return 0;
}
