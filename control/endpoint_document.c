/* Reads endpoints as clients write them. */
#include "control/endpoint_document.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/endpoint_headers.h"
#include "config/retry_schedule.h"
#include "api/target_url.h"
#include "base/json_object.h"
#include "control/members.h"

#define WORD_CHARS_MAX 255
#define ATTEMPTS_MAX (RETRY_WAITS_MAX + 1)

/* Members of a reply that a client cannot set. */
static const char *const read_only[] = {"id", "endpoint_id", "tenant_id", "version", "state", "disabled_reason",
    "failing_since", "last_success_at", "breaker", "old_secret_until", "created_at", "updated_at", NULL};

/* The first of the words between blanks. */
static struct span
first_word(const char *words)
{
	return (struct span){words, strcspn(words, " ")};
}

struct endpoint
endpoint_defaults(struct span id)
{
	return (struct endpoint){
	    .id = id,
#define ENDPOINT_BOOL(name, initial) .name = initial,
#define ENDPOINT_INT(name, initial, ...) .name = initial,
#define ENDPOINT_CHOICE(name, words) .name = first_word(words),
#include "store/webhooks/endpoint_fields.def"
	};
}

bool
endpoint_document_open(struct endpoint_document *document, struct span body)
{
	*document = (struct endpoint_document){0};
	return document_open(&document->document, body, &document->error);
}

void
endpoint_document_close(struct endpoint_document *document)
{
	document_close(&document->document);
	bytes_free(&document->extra);
	bytes_free(&document->headers);
	bytes_free(&document->secret);
	explicit_bzero(document->made_secret, sizeof document->made_secret);
}

static void
read_choice(struct document *document, const char *name, const char *words, struct span *value)
{
	struct span given;

	if (document_presence(document, name) == DOCUMENT_NULL)
		*value = first_word(words);
	if (!document_string(document, name, &(struct document_lengths){0, WORD_CHARS_MAX, false}, &given))
		return;
	for (const char *at = words; *at != '\0';) {
		struct span word = first_word(at);

		if (word.len == given.len && memcmp(word.base, given.base, word.len) == 0) {
			*value = word;
			return;
		}
		at += word.len + strspn(at + word.len, " ");
	}
	(void)document_refuse(document, name, "must be one of these words: %s", words);
}

static int
check_url(struct span url, const struct endpoint_rules *rules, struct error *err)
{
	struct target_url parts;

	if (target_url_split(url, &parts, err) < 0)
		return -1;
	if (rules->dev_inbox && target_url_is_inbox(&parts, rules->public_url))
		return 0;
	return target_url_judge(&parts, rules->allowed, err);
}

static void
read_url(struct document *document, const struct endpoint_rules *rules, struct span *url)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, false};
	enum document_presence presence = document_presence(document, "url");
	struct error err;

	if (presence == DOCUMENT_NULL || (presence == DOCUMENT_ABSENT && rules->making))
		(void)document_refuse(document, "url", "is required");
	else if (document_string(document, "url", &any, url) && check_url(*url, rules, &err) < 0)
		(void)document_refuse(document, "url", "%s", err.text);
}

static bool
is_shown(struct span text)
{
	return text.len == strlen(CREDENTIAL_SHOWN) && memcmp(text.base, CREDENTIAL_SHOWN, text.len) == 0;
}

bool
endpoint_document_secret(struct document *document, bool shown_is_none, struct span *plain)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, true};
	struct error err;

	if (!document_string(document, "secret", &any, plain) || plain->len == 0)
		return false;
	if (is_shown(*plain))
		return shown_is_none
			   ? false
			   : document_refuse(document, "secret", "is " CREDENTIAL_SHOWN ", which stands for a secret");
	if (endpoint_secret_check(*plain, &err) < 0)
		return document_refuse(document, "secret", "%s", err.text);
	return true;
}

static void
read_secret(struct endpoint_document *document, const struct endpoint_rules *rules, struct endpoint *endpoint)
{
	const struct secret_place place = {{rules->tenant_id, strlen(rules->tenant_id)}, endpoint->id, SECRET_SIGNING};
	struct span plain;

	if (!endpoint_document_secret(&document->document, !rules->making, &plain)) {
		if (!rules->making || document->error.code != NULL)
			return;
		endpoint_secret_make(document->made_secret);
		plain = (struct span){document->made_secret, strlen(document->made_secret)};
	}
	secret_seal(rules->secrets, &place, plain, &document->secret);
	endpoint->secret = (struct span){document->secret.base, document->secret.len};
	/* A secret set by a client replaces the old one at once. */
	endpoint->old_secret = (struct span){NULL, 0};
	endpoint->old_secret_until = 0;
}

static bool
same_header(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.base, b.base, a.len) == 0;
}

/* Finds the endpoint's present value of that header. */
static bool
find_kept(struct document *kept, struct span name, struct span *value)
{
	const struct document_lengths any = {0, ENDPOINT_HEADER_BYTES_MAX, false};

	for (size_t i = 0; i < kept->count; i++)
		if (same_header(kept->members[i].name, name))
			return document_string_at(kept, i, &any, value);
	return false;
}

/* Adds the member at index to the object. kept: the endpoint's present headers. */
static void
add_header(struct document *headers, size_t index, struct document *kept, struct json_object *object)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, false};
	struct span name = headers->members[index].name, value;
	char copy[ENDPOINT_HEADER_BYTES_MAX + 1];
	struct error err;

	(void)snprintf(copy, sizeof copy, "%.*s", (int)name.len, name.base);
	if (!document_string_at(headers, index, &any, &value))
		return;
	if (endpoint_header_check(name, value, &err) < 0) {
		(void)document_refuse(headers, copy, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < index; i++)
		if (same_header(headers->members[i].name, name)) {
			(void)document_refuse(headers, copy, "is there twice");
			return;
		}
	if (is_shown(value) && !find_kept(kept, name, &value)) {
		(void)document_refuse(headers, copy,
		    "is " CREDENTIAL_SHOWN ", which leaves a value as it is, but the endpoint has no such header");
		return;
	}
	json_object_add(object, copy, value);
}

/* Writes the headers as a plaintext JSON object. */
static void
write_headers(struct document *headers, struct document *kept, struct bytes *plain)
{
	struct json_object object = json_object_begin(plain);

	if (headers->count > ENDPOINT_HEADERS_MAX)
		(void)document_refuse(
		    headers, NULL, "has %zu members, %d are allowed", headers->count, ENDPOINT_HEADERS_MAX);
	for (size_t i = 0; i < headers->count && headers->error->code == NULL; i++)
		add_header(headers, i, kept, &object);
	if (plain->len == object.begin)
		bytes_add_text(plain, "{}");
	else
		json_object_end(&object);
}

static void
read_headers(struct endpoint_document *document, const struct endpoint_rules *rules, struct endpoint *endpoint)
{
	const struct secret_place place = {{rules->tenant_id, strlen(rules->tenant_id)}, endpoint->id, SECRET_HEADERS};
	enum document_presence presence = document_presence(&document->document, "headers");
	struct document headers = {0}, kept = {0};
	struct bytes old = {0}, plain = {0};
	struct document_error ignored = {0};
	struct error err;

	if (presence == DOCUMENT_ABSENT && endpoint->headers.base != NULL)
		return;
	if (presence == DOCUMENT_GIVEN && !document_inner_object(&document->document, "headers", &headers))
		return;
	if (endpoint->headers.base != NULL && secret_read(rules->secrets, &place, endpoint->headers, &old, &err) < 0) {
		if (document->error.code == NULL) {
			(void)document_refuse(&document->document, "headers", "cannot be changed: %s", err.text);
			document->error.code = ENDPOINT_CONFLICT;
		}
	} else {
		(void)document_open(&kept, (struct span){old.base, old.len}, &ignored);
		headers.error = &document->error;
		write_headers(&headers, &kept, &plain);
		/* Unchanged headers are not sealed again: that would look like a change. */
		if (old.len != plain.len || memcmp(old.base, plain.base, old.len) != 0) {
			secret_seal(rules->secrets, &place, (struct span){plain.base, plain.len}, &document->headers);
			endpoint->headers = (struct span){document->headers.base, document->headers.len};
		}
	}
	document_close(&headers);
	document_close(&kept);
	secret_wipe(&old);
	secret_wipe(&plain);
}

/* Checks a list of waits, as texts or whole milliseconds. An empty list means one attempt. */
static void
check_waits(struct document *waits)
{
	const struct document_lengths any = {0, WORD_CHARS_MAX, false};

	if (waits->count > RETRY_WAITS_MAX)
		(void)document_refuse(waits, NULL, "has %zu waits, %d are allowed", waits->count, RETRY_WAITS_MAX);
	for (size_t i = 0; i < waits->count && waits->error->code == NULL; i++) {
		char place[24];
		struct span text;
		int64_t ms;
		uint32_t read;

		if (waits->members[i].value.type != JSON_STRING) {
			(void)document_int_at(waits, i, RETRY_WAIT_MS_LEAST, RETRY_WAIT_MS_MOST, &ms);
			continue;
		}
		(void)snprintf(place, sizeof place, "%zu", i);
		if (document_string_at(waits, i, &any, &text) && !retry_wait_read(text, &read))
			(void)document_refuse(waits, place, "must be a wait of 1s to 168h, such as 30s");
	}
}

static void
read_schedule(struct document *document, struct span *value)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, false};
	struct document waits;
	struct span given, text;
	struct error err;

	if (document_presence(document, "retry_schedule") == DOCUMENT_NULL)
		*value = (struct span){NULL, 0};
	if (!document_value(document, "retry_schedule", DOCUMENT_BYTES_MAX, &given))
		return;
	*value = given;
	if (given.base[0] == '"') {
		if (document_string(document, "retry_schedule", &any, &text) && retry_schedule_check(text, &err) < 0)
			(void)document_refuse(document, "retry_schedule", "%s", err.text);
	} else if (document_inner_array(document, "retry_schedule", &waits)) {
		check_waits(&waits);
		document_close(&waits);
	}
}

/*
 * max_retries is max_attempts - 1. A client that sends a document back has changed at most one of the two, and that one
 * counts.
 */
static void
read_attempts(struct document *document, int64_t *attempts)
{
	int64_t before = *attempts, one = before, other = before, retries;

	if (document_presence(document, "max_attempts") == DOCUMENT_NULL)
		one = 0;
	else
		(void)document_int(document, "max_attempts", 1, ATTEMPTS_MAX, &one);
	if (document_presence(document, "max_retries") == DOCUMENT_NULL)
		other = 0;
	else if (document_int(document, "max_retries", 0, ATTEMPTS_MAX - 1, &retries))
		other = retries + 1;
	if (one != before && other != before && one != other)
		(void)document_refuse(document, "max_retries", "must be one less than max_attempts, or not be there");
	*attempts = one != before ? one : other;
}

bool
endpoint_document_apply(
    struct endpoint_document *document, const struct endpoint_rules *rules, struct endpoint *endpoint)
{
	struct document *members = &document->document;

	members_ignore(members, read_only);
	read_url(members, rules, &endpoint->url);
	read_secret(document, rules, endpoint);
	read_headers(document, rules, endpoint);
	member_name(members, &endpoint->name);
	member_description(members, &endpoint->description);
	member_metadata(members, &endpoint->metadata);
	read_schedule(members, &endpoint->retry_schedule);
	read_attempts(members, &endpoint->max_attempts);
#define ENDPOINT_BOOL(name, initial) member_bool(members, #name, initial, &endpoint->name);
#define ENDPOINT_INT(name, initial, least, most)                                                                       \
	if (document_presence(members, #name) == DOCUMENT_NULL)                                                        \
		endpoint->name = initial;                                                                              \
	else                                                                                                           \
		(void)document_int(members, #name, least, most, &endpoint->name);
#define ENDPOINT_CHOICE(name, words) read_choice(members, #name, words, &endpoint->name);
#include "store/webhooks/endpoint_fields.def"
	document_unknown(members, endpoint->extra.base != NULL ? &endpoint->extra : NULL, &document->extra);
	endpoint->extra =
	    document->extra.len > 0 ? (struct span){document->extra.base, document->extra.len} : (struct span){NULL, 0};
	return document->error.code == NULL;
}

size_t
endpoint_size(const struct endpoint *endpoint)
{
	/* Sealed headers are a third longer. */
	size_t headers = endpoint->headers.base[0] == '{' ? endpoint->headers.len : endpoint->headers.len / 4 * 3;

	return endpoint->url.len + headers + endpoint->name.len + endpoint->description.len + endpoint->metadata.len +
	       endpoint->extra.len + endpoint->retry_schedule.len;
}
