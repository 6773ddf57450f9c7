/*
 * The API checked each row that it stored, but a DBA may have edited it since. The same functions check it again, so
 * what passes can be sent. The guard checks a URL's address at each connection.
 */
#include "courier/endpoint_config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/document.h"
#include "api/endpoint_headers.h"
#include "api/endpoint_secret.h"
#include "api/secrets.h"
#include "api/target_url.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/endpoints.h"

/* Reads the row column by column and keeps the first error. */
struct reading {
	struct endpoint_config *endpoint;
	const struct endpoint *row;
	const struct secrets *secrets;
	struct error *why;
};

static bool
wrong(struct reading *reading, const char *column, const char *what)
{
	if (reading->why->text[0] == '\0')
		(void)error_set(reading->why, "%s: %s", column, what);
	return false;
}

static bool
damaged(struct reading *reading, const char *column, const char *what)
{
	reading->endpoint->damaged = true;
	return wrong(reading, column, what);
}

static bool
is_word(struct span text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.base, word, text.len) == 0;
}

static char *
copy_text(struct span text)
{
	char *copy = mem_new(1, text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.base, text.len);
	return copy;
}

/* ---- credentials ---- */

static void
read_url(struct reading *reading)
{
	static const struct networks all = {.count = 1}; /* a prefix of no bits */
	struct span url = reading->row->url;
	struct error err;

	if (target_url_check(url, &all, &err) < 0)
		(void)damaged(reading, "url", err.text);
	reading->endpoint->url = copy_text(url);

	const char *host = strstr(reading->endpoint->url, "://");
	host = host != NULL && !reading->endpoint->damaged ? host + 3 : "";
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
	reading->endpoint->host = copy_text((struct span){host, len});
}

/* false: it cannot be read; the error is set. */
static bool
decrypt(struct reading *reading, enum secret_kind kind, struct span stored, struct bytes *plain)
{
	const char *tenant_id = reading->endpoint->tenant_id;
	const struct secret_place place = {{tenant_id, strlen(tenant_id)}, reading->row->id, kind};
	char fingerprint[SECRET_FINGERPRINT_BYTES + 1];
	const char *column = kind == SECRET_HEADERS ? "headers" : "secret";
	struct error err;

	if (secret_read(reading->secrets, &place, stored, plain, &err) == 0)
		return true;
	if (!secret_lacks_key(reading->secrets, stored, fingerprint))
		return damaged(reading, column, err.text);
	reading->endpoint->secrets_missing = true;
	return wrong(reading, column, err.text);
}

static void
read_secret(struct reading *reading, struct span stored, struct bytes *plain)
{
	struct error err;

	if (decrypt(reading, SECRET_SIGNING, stored, plain) &&
	    endpoint_secret_check((struct span){plain->base, plain->len}, &err) < 0)
		(void)damaged(reading, "secret", err.text);
}

/* Adds one header as a line. */
static bool
add_header(struct document *headers, size_t index, struct bytes *lines, struct error *err)
{
	const struct document_lengths any = {0, ENDPOINT_HEADER_BYTES_MAX, false};
	struct span name = headers->members[index].name, value;

	if (!document_string_at(headers, index, &any, &value))
		return error_set(err, "%s", headers->error->detail) == 0;
	if (endpoint_header_check(name, value, err) < 0)
		return false;
	bytes_add(lines, name.base, name.len);
	bytes_add_text(lines, ": ");
	bytes_add(lines, value.base, value.len);
	bytes_add_text(lines, "\r\n");
	return true;
}

static void
write_lines(struct reading *reading, struct span plain)
{
	struct document_error error = {0};
	struct document headers;
	struct error err;

	if (!document_open(&headers, plain, &error))
		(void)damaged(reading, "headers", "are no JSON object");
	else if (headers.count > ENDPOINT_HEADERS_MAX)
		(void)damaged(reading, "headers", "are too many");
	for (size_t i = 0; i < headers.count && !reading->endpoint->damaged; i++)
		if (!add_header(&headers, i, &reading->endpoint->headers, &err))
			(void)damaged(reading, "headers", err.text);
	document_close(&headers);
}

static void
read_headers(struct reading *reading)
{
	struct bytes plain = {0};

	if (decrypt(reading, SECRET_HEADERS, reading->row->headers, &plain))
		write_lines(reading, (struct span){plain.base, plain.len});
	secret_wipe(&plain);
}

/* ---- the schedule ---- */

static bool
read_wait(struct document *waits, size_t index, uint32_t *ms)
{
	const struct document_lengths any = {0, 32, false};
	struct span text;
	int64_t number;

	if (waits->members[index].value.type == JSON_STRING)
		return document_string_at(waits, index, &any, &text) && retry_wait_read(text, ms);
	if (!document_int_at(waits, index, RETRY_WAIT_MS_LEAST, RETRY_WAIT_MS_MOST, &number))
		return false;
	*ms = (uint32_t)number;
	return true;
}

/* A list of waits, or a text in the syntax of HL_RETRY_SCHEDULE. */
static bool
read_waits(struct endpoint_config *endpoint, struct document *whole)
{
	const struct document_lengths any = {0, RETRY_WAITS_MAX * 32, false};
	struct document waits;
	struct span text;
	struct error err;
	bool right;

	if (whole->count == 1 && whole->members[0].value.type == JSON_STRING) {
		if (!document_string_at(whole, 0, &any, &text) || retry_schedule_check(text, &err) < 0)
			return false;
		endpoint->waits = retry_schedule_read(text, endpoint->waits_ms);
		return true;
	}
	if (!document_inner_array(whole, "retry_schedule", &waits))
		return false;
	right = waits.count <= RETRY_WAITS_MAX;
	for (size_t i = 0; right && i < waits.count; i++)
		right = read_wait(&waits, i, &endpoint->waits_ms[i]);
	endpoint->waits = right ? (uint32_t)waits.count : 0;
	document_close(&waits);
	return right;
}

/* max_attempts shortens the endpoint's own schedule or the default one; HL_RETRY_MAX_ATTEMPTS only the default one. */
static void
read_schedule(struct reading *reading, const struct config *config)
{
	struct span text = reading->row->retry_schedule, standard = {config->hl_retry_schedule, 0};
	int64_t most = reading->row->max_attempts;
	struct document_error error = {0};
	struct bytes object = {0};
	struct document whole;

	if (text.base == NULL) {
		standard.len = strlen(config->hl_retry_schedule);
		reading->endpoint->waits = retry_schedule_read(standard, reading->endpoint->waits_ms);
		most = most != 0 ? most : config->hl_retry_max_attempts;
	} else {
		bytes_add_text(&object, "{\"retry_schedule\":");
		bytes_add(&object, text.base, text.len);
		bytes_add_text(&object, "}");
		if (!document_open(&whole, (struct span){object.base, object.len}, &error) ||
		    !read_waits(reading->endpoint, &whole))
			(void)damaged(reading, "retry_schedule", "is no list of waits");
		document_close(&whole);
		bytes_free(&object);
	}
	if (most < 0)
		(void)damaged(reading, "max_attempts", "is below 0");
	else if (most > 0 && most <= reading->endpoint->waits)
		reading->endpoint->waits = (uint32_t)most - 1;
}

/* ---- the rest ---- */

static bool
in_range(int64_t number, int64_t least, int64_t most)
{
	return number >= least && number <= most;
}

static void
check_ranges(struct reading *reading)
{
#define ENDPOINT_BOOL(name, ...)
#define ENDPOINT_CHOICE(name, ...)
#define ENDPOINT_INT(name, initial, least, most)                                                                       \
	if (!in_range(reading->row->name, least, most))                                                                \
		(void)damaged(reading, #name, "is out of range");
#include "store/webhooks/endpoint_fields.def"
}

static void
read_body(struct reading *reading)
{
	static const char *const words[] = {
	    [BODY_ENVELOPE] = "envelope", [BODY_BARE_EVENT] = "event", [BODY_PAYLOAD] = "payload"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is_word(reading->row->body, words[i])) {
			reading->endpoint->body = (enum endpoint_body)i;
			return;
		}
	(void)damaged(reading, "body", "is none of the words");
}

/* Reads a choice of two words. Returns whether it is the second. */
static bool
read_choice(struct reading *reading, const char *column, struct span text, const char *first, const char *second)
{
	if (is_word(text, second))
		return true;
	if (!is_word(text, first))
		(void)damaged(reading, column, "is none of the words");
	return false;
}

struct endpoint_config *
endpoint_config_new(const struct config *config, const struct secrets *secrets, const char *tenant_id,
    const struct endpoint *row, struct error *why)
{
	struct endpoint_config *endpoint = mem_new(1, sizeof *endpoint);
	struct reading reading = {endpoint, row, secrets, why};

	why->text[0] = '\0';
	*endpoint = (struct endpoint_config){
	    .references = 1,
	    .tenant_id = mem_strdup(tenant_id),
	    .version = row->version,
	    .enabled = row->enabled,
	    .paused = row->paused,
	    .fifo = row->fifo,
	    .fail_fast = row->fail_fast,
	    .keep_response = row->keep_response,
	    .exact_limits = row->exact_limits,
	    .legacy_headers = row->legacy_headers,
	    .breaker = breaker_of_word(row->breaker),
	    .breaker_version = row->breaker_version,
	    .timeout_ms = (uint32_t)row->timeout_ms,
	    .max_in_flight = (uint32_t)row->max_in_flight,
	    .rate_limit_rps = (uint32_t)row->rate_limit_rps,
	};
	if (!uuid_parse(row->id.base, row->id.len, endpoint->endpoint_id))
		(void)damaged(&reading, "endpoint_id", "is no UUID");
	check_ranges(&reading);
	read_body(&reading);
	endpoint->by_key = read_choice(&reading, "ordering", row->ordering, "endpoint", "key");
	endpoint->blocks = read_choice(&reading, "on_dead", row->on_dead, "continue", "block");
	read_url(&reading);
	read_secret(&reading, row->secret, &endpoint->secret);
	if (row->old_secret.base != NULL && row->old_secret_until > clock_wall_us() / 1000) {
		endpoint->old_secret_until_ms = row->old_secret_until;
		read_secret(&reading, row->old_secret, &endpoint->old_secret);
	}
	read_headers(&reading);
	read_schedule(&reading, config);
	return endpoint;
}

int64_t
endpoint_lifetime_ms(const struct endpoint_config *config)
{
	return retry_lifetime_ms(config->waits_ms, config->waits);
}

struct endpoint_config *
endpoint_config_ref(struct endpoint_config *config)
{
	config->references++;
	return config;
}

void
endpoint_config_unref(struct endpoint_config *config)
{
	if (config == NULL)
		return;
	assert(config->references > 0);
	if (--config->references > 0)
		return;
	secret_wipe(&config->secret);
	secret_wipe(&config->old_secret);
	secret_wipe(&config->headers);
	explicit_bzero(config->url, strlen(config->url));
	free(config->url);
	free(config->host);
	free(config->tenant_id);
	free(config);
}
