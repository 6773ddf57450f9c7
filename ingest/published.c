/*
 * The rules of a published event's members. Payload and unknown members keep the client's numbers, escapes and order of
 * keys; only white space between tokens is removed. Strings that become columns must be valid text in every database,
 * so \u0000 and half a surrogate pair are refused there.
 */
#include "ingest/published.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "event/publish_outcome.h"
#include "ingest/event_id.h"
#include "ingest/rewrite.h"

#define TEXT_OF(number) #number
#define TOO_MANY(limit) "At most " TEXT_OF(limit) " members besides those of an event: put them into payload"
#define TOO_LONG "String should have at most 255 characters"

_Static_assert(PUBLISHED_CHARS_MAX == 255 && IDEMPOTENCY_KEY_MAX == 255, "as TOO_LONG says");

static const char *const names[MEMBERS] = {
    [MEMBER_TOPIC] = "topic",
    [MEMBER_PAYLOAD] = "payload",
    [MEMBER_IDEMPOTENCY_KEY] = "idempotency_key",
    [MEMBER_OCCURRED_AT] = "occurred_at",
    [MEMBER_ORDERING_KEY] = "ordering_key",
    [MEMBER_TARGET_USER_ID] = "target_user_id",
};

/* Members that the service adds to an event. They are ignored, because a client may publish an event as it read it. */
static const char *const made[] = {
    "id", "event_id", "tenant_id", "created_at", "job_ids", "job_count", "deduped", "idempotency", "_trace"};

#define MADE (sizeof made / sizeof *made)
#define NAME_CHARS_MAX 16 /* at least the length of each name */

/* The index of the key in the list, or count. */
static size_t
named(const struct json *key, const char *const list[], size_t count)
{
	char unescaped[4 * NAME_CHARS_MAX];
	const char *name = key->text + 1;
	size_t len = key->len - 2, i = 0;
	bool ignored;

	if (key->escapes) {
		len = rewrite_string(key, unescaped, NAME_CHARS_MAX, &ignored);
		if (len == REWRITE_TOO_LONG)
			return count;
		name = unescaped;
	}
	while (i < count && (strlen(list[i]) != len || memcmp(list[i], name, len) != 0))
		i++;
	return i;
}

static bool
published_scan(struct event_head *head, struct scan *scan, const struct decode_env *env)
{
	struct published_event *event = (struct published_event *)head;
	enum scan_step step;
	bool first = true;
	struct json key, value;

	(void)env;
	event->is_object = scan->at < scan->end && *scan->at == '{';
	if (!event->is_object)
		return scan_value(scan, &value);
	memset(event->fields, 0, sizeof event->fields);
	event->unknown.any = event->unknown.too_many = false;
	event->unknown.count = 0;
	while ((step = scan_member(scan, &first, &key)) == SCAN_ELEMENT) {
		size_t field = named(&key, names, MEMBERS);

		if (!scan_value(scan, &value))
			return false;
		if (field < MEMBERS)
			event->fields[field] = value;
		else if (named(&key, made, MADE) == MADE)
			unknown_add(&event->unknown, &key, &value);
	}
	return step == SCAN_CLOSED;
}

static void
add_error(struct published_event *event, const char *type, const char *msg, const char *field, uint32_t limit)
{
	struct event_head *head = &event->head;

	head->errors[head->error_count++] = (struct decode_error){
	    .cause = CAUSE_FIELDS, .type = type, .msg = msg, .field = field, .position = -1, .limit = limit};
}

static void
refuse(struct published_event *event, enum published_field field, const char *msg)
{
	add_error(event, "value_error", msg, names[field], 0);
}

/* Sets *text to a string member; base is NULL if it is absent, null or empty. Returns false after an error. */
static bool
take_string(struct published_event *event, enum published_field field, struct span *text)
{
	const struct json *value = &event->fields[field];
	bool ignored;
	size_t len;

	*text = (struct span){NULL, 0};
	if (value->type == JSON_ABSENT || value->type == JSON_NULL)
		return true;
	if (value->type != JSON_STRING) {
		add_error(event, "string_type", "Input should be a valid string", names[field], 0);
		return false;
	}
	if (value->unsafe) {
		refuse(event, field, "String holds \\u0000 or half a surrogate pair");
		return false;
	}
	len = value->len - 2;
	if (value->escapes) {
		char *to = event->scratch + event->scratch_used;

		len = rewrite_string(value, to, PUBLISHED_CHARS_MAX, &ignored);
		if (len != REWRITE_TOO_LONG) {
			event->scratch_used += len;
			*text = (struct span){to, len};
		}
	} else if (len <= PUBLISHED_CHARS_MAX ||
		   (len <= 4 * PUBLISHED_CHARS_MAX && rewrite_count(value->text + 1, len) <= PUBLISHED_CHARS_MAX)) {
		*text = (struct span){value->text + 1, len};
	} else {
		len = REWRITE_TOO_LONG;
	}
	if (len == REWRITE_TOO_LONG) {
		add_error(event, "string_too_long", TOO_LONG, names[field], PUBLISHED_CHARS_MAX);
		return false;
	}
	if (len == 0)
		*text = (struct span){NULL, 0};
	return true;
}

static void
check_topic(struct published_event *event)
{
	struct span *topic = &event->strings[PUBLISHED_TOPIC];
	struct error ignored;

	if (!take_string(event, MEMBER_TOPIC, topic))
		return;
	if (topic->base == NULL)
		add_error(event, "missing", "Field required", names[MEMBER_TOPIC], 0);
	else if (topic_check(*topic, &ignored) != 0)
		refuse(event, MEMBER_TOPIC,
		    "A topic is segments between dots; none is empty, and none holds *, #, white space or control "
		    "characters");
	else if (topic_of_service(*topic))
		refuse(event, MEMBER_TOPIC,
		    "Only the service itself publishes on hookline.endpoint, deliveries and hooks");
}

/* Takes the body's key, else the header's: unchanged for a single event, with the event's index in a batch. */
static void
check_key(struct published_event *event, const struct decode_env *env, int64_t index)
{
	struct span *key = &event->strings[PUBLISHED_IDEMPOTENCY_KEY];
	uint8_t ignored[16];

	if (!take_string(event, MEMBER_IDEMPOTENCY_KEY, key))
		return;
	if (key->base != NULL && event_id_read(key->base, key->len, ignored) == EVENT_ID_NONE)
		refuse(event, MEMBER_IDEMPOTENCY_KEY,
		    "A placeholder such as null or undefined is no key: all events with it would be one");
	else if (key->base != NULL && env->key.base != NULL && index < 0 &&
		 (key->len != env->key.len || memcmp(key->base, env->key.base, key->len) != 0))
		refuse(event, MEMBER_IDEMPOTENCY_KEY, "The header Idempotency-Key has another value");
	if (key->base != NULL || env->key.base == NULL)
		return;
	*key = env->key;
	if (index >= 0) {
		int len = snprintf(
		    event->key, sizeof event->key, "%.*s/%lld", (int)env->key.len, env->key.base, (long long)index);

		assert(len > 0 && (size_t)len < sizeof event->key);
		*key = (struct span){event->key, (size_t)len};
	}
}

/* Reads milliseconds since 1970: only digits, so that seconds with a fraction are refused. */
static const char *
read_milliseconds(const struct json *value, int64_t *us)
{
	bool negative = value->text[0] == '-';
	int64_t ms = 0;

	for (size_t i = negative; i < value->len; i++) {
		if (value->text[i] < '0' || value->text[i] > '9')
			return "Input should be a whole number of milliseconds since 1970, or an RFC 3339 time";
		if (ms <= TIMESTAMP_MAX_US / 1000)
			ms = ms * 10 + (value->text[i] - '0');
	}
	ms = negative ? -ms : ms;
	if (ms < TIMESTAMP_MIN_US / 1000 || ms > TIMESTAMP_MAX_US / 1000)
		return "Input should be a time in the years 1 to 9999";
	*us = ms * 1000;
	return NULL;
}

/* Rounds down to milliseconds, the unit of the API. */
static int64_t
down_to_milliseconds(int64_t us)
{
	int64_t part = us % 1000;

	return us - (part < 0 ? part + 1000 : part);
}

static void
check_occurred_at(struct published_event *event)
{
	const struct json *value = &event->fields[MEMBER_OCCURRED_AT];
	const char *msg = "Input should be a whole number of milliseconds since 1970, or an RFC 3339 time";

	event->has_occurred_at = value->type != JSON_ABSENT && value->type != JSON_NULL;
	if (!event->has_occurred_at)
		return;
	if (value->type == JSON_NUMBER)
		msg = read_milliseconds(value, &event->occurred_us);
	else if (value->type == JSON_STRING && !value->escapes)
		msg = timestamp_parse(value->text + 1, value->len - 2, &event->occurred_us);
	if (msg != NULL)
		add_error(event, "datetime_parsing", msg, names[MEMBER_OCCURRED_AT], 0);
	else
		event->occurred_us = down_to_milliseconds(event->occurred_us);
}

static void
take_payload(struct published_event *event)
{
	event->payload = event->fields[MEMBER_PAYLOAD];
	if (event->payload.type == JSON_ABSENT)
		event->payload = (struct json){.type = JSON_NULL, .text = "null", .len = 4, .tight = 4};
}

static void
check_extra(struct published_event *event)
{
	struct span *extra = &event->strings[PUBLISHED_EXTRA];

	*extra = (struct span){NULL, 0};
	event->extra = (struct json){.type = JSON_OBJECT, .text = "{}", .len = 2, .tight = 2};
	event->head.has_unknown = event->unknown.count > 0;
	if (event->unknown.too_many)
		add_error(event, "too_many_fields", TOO_MANY(UNKNOWN_FIELDS_MAX), NULL, 0);
	if (!event->head.has_unknown)
		return;
	unknown_select(&event->unknown, &event->extra);
	extra->len = event->extra.tight + event->unknown.bytes;
	if (extra->len > PUBLISHED_EXTRA_MAX)
		add_error(event, "value_error",
		    "The members besides those of an event are too large: put them into payload", NULL,
		    PUBLISHED_EXTRA_MAX);
}

static void
published_check(struct event_head *head, const struct decode_env *env, int64_t index)
{
	struct published_event *event = (struct published_event *)head;

	head->error_count = 0;
	head->has_unknown = head->sanitised = false;
	if (!event->is_object) {
		add_error(event, "model_attributes_type", "Input should be an object: an event", NULL, 0);
		return;
	}
	event->scratch_used = 0;
	check_topic(event);
	check_key(event, env, index);
	check_occurred_at(event);
	(void)take_string(event, MEMBER_ORDERING_KEY, &event->strings[PUBLISHED_ORDERING_KEY]);
	(void)take_string(event, MEMBER_TARGET_USER_ID, &event->strings[PUBLISHED_TARGET_USER_ID]);
	event->strings[PUBLISHED_TRACEPARENT] = env->traceparent;
	event->strings[PUBLISHED_TRACESTATE] = env->tracestate;
	take_payload(event);
	check_extra(event);
}

static size_t
published_size(const struct event_head *head, const struct decode_env *env)
{
	const struct published_event *event = (const struct published_event *)head;
	size_t variable = event->payload.tight + env->tenant.len;

	for (int i = 0; i < PUBLISHED_STRINGS; i++)
		variable += event->strings[i].len;
	return sizeof(struct publish_outcome) + record_bytes(PUBLISHED_STRINGS, variable);
}

static void
published_write(struct event_head *head, const struct decode_env *env, uint32_t index, void *to)
{
	struct published_event *event = (struct published_event *)head;
	struct record *record = (void *)((char *)to + sizeof(struct publish_outcome));
	char *at = (char *)(record->string_bytes + PUBLISHED_STRINGS);

	(void)index;
	memset(to, 0, sizeof(struct publish_outcome));
	record->kind = RECORD_PUBLISHED;
	record->strings = PUBLISHED_STRINGS;
	record->flags = event->payload.unsafe || event->extra.unsafe ? RECORD_UNSAFE_ESCAPES : 0;
	record->data_bytes = (uint32_t)event->payload.tight;
	record->received_us = event_id_published(env->ids, env->now_us, record->event_id);
	record->timestamp_us = event->has_occurred_at ? event->occurred_us : record->received_us;
	record->tenant_bytes = (uint16_t)env->tenant.len;
	if (env->tenant.len > 0)
		at = mempcpy(at, env->tenant.base, env->tenant.len);
	for (int i = 0; i < PUBLISHED_STRINGS; i++) {
		struct span text = event->strings[i];

		record->string_bytes[i] = text.len == 0 ? RECORD_NULL : (uint16_t)text.len;
		if (text.base != NULL)
			at = mempcpy(at, text.base, text.len);
		else if (text.len > 0) {
			memcpy(at, event->extra.text, event->extra.len);
			unknown_write(&event->unknown, &event->extra, at + event->extra.tight);
			at += text.len;
		}
	}
	rewrite_tight(&event->payload, at);
	(void)record_seal(record);
}

const struct event_kind published_event_kind = {published_scan, published_check, published_size, published_write};
