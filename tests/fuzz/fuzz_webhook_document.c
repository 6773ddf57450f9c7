/*
 * Arbitrary bytes as the bodies of a POST and of a PATCH of an endpoint or a subscription: the bytes before the first
 * NUL, and those after it. For every input the accepted members have these properties, after the first body and after
 * both:
 *
 *   - URL, secret, headers, pattern, filter and transform are accepted by the functions that check them;
 *   - no secret and no value of a header is ***;
 *   - the other members are in their ranges;
 *
 * and a refusal has a code and a message.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/endpoint_headers.h"
#include "api/target_url.h"
#include "control/endpoint_document.h"
#include "control/members.h"
#include "control/subscription_document.h"
#include "event/filter.h"
#include "event/topic.h"
#include "event/transform.h"
#include "tests/fuzz/target.h"

static const struct secrets no_key = {.count = 0};
static const struct networks none = {.count = 0};

static struct span
text(const char *of)
{
	return (struct span){of, strlen(of)};
}

static bool
is(struct span a, const char *b)
{
	return a.len == strlen(b) && memcmp(a.base, b, a.len) == 0;
}

static void
check_headers(const struct endpoint *endpoint)
{
	const struct secret_place place = {text("t"), endpoint->id, SECRET_HEADERS};
	struct document_error error = {0};
	struct document headers;
	struct bytes plain = {0};
	struct error err;

	assert(secret_read(&no_key, &place, endpoint->headers, &plain, &err) == 0);
	assert(document_open(&headers, (struct span){plain.base, plain.len}, &error));
	assert(headers.count <= ENDPOINT_HEADERS_MAX);
	for (size_t i = 0; i < headers.count; i++) {
		struct span value;

		assert(
		    document_string_at(&headers, i, &(struct document_lengths){0, DOCUMENT_BYTES_MAX, false}, &value));
		assert(endpoint_header_check(headers.members[i].name, value, &err) == 0);
		assert(!is(value, CREDENTIAL_SHOWN));
	}
	document_close(&headers);
	bytes_free(&plain);
}

static void
check_endpoint(const struct endpoint *endpoint)
{
	const struct secret_place place = {text("t"), endpoint->id, SECRET_SIGNING};
	struct bytes plain = {0};
	struct error err;

	assert(target_url_check(endpoint->url, &none, &err) == 0);
	assert(secret_read(&no_key, &place, endpoint->secret, &plain, &err) == 0);
	assert(endpoint_secret_check((struct span){plain.base, plain.len}, &err) == 0);
	assert(!is((struct span){plain.base, plain.len}, CREDENTIAL_SHOWN));
	check_headers(endpoint);
	assert(endpoint->max_attempts >= 0 && endpoint->max_attempts <= 101);
#define ENDPOINT_BOOL(name, ...)
#define ENDPOINT_INT(name, initial, least, most) assert(endpoint->name >= least && endpoint->name <= most);
#define ENDPOINT_CHOICE(name, words)                                                                                   \
	assert(endpoint->name.len > 0 && memmem(words, strlen(words), endpoint->name.base, endpoint->name.len) != NULL);
#include "store/webhooks/endpoint_fields.def"
	bytes_free(&plain);
}

static void
take_endpoint(const struct span bodies[2])
{
	struct endpoint endpoint = endpoint_defaults(text("0190f5fe-7c00-7a00-8abc-012345678abc"));
	struct endpoint_document documents[2] = {0};

	for (int i = 0; i < 2; i++) {
		struct endpoint_rules rules = {
		    .allowed = &none, .secrets = &no_key, .tenant_id = "t", .making = i == 0};

		if (!endpoint_document_open(&documents[i], bodies[i]) ||
		    !endpoint_document_apply(&documents[i], &rules, &endpoint)) {
			assert(documents[i].error.code != NULL && documents[i].error.detail[0] != '\0');
			break;
		}
		check_endpoint(&endpoint);
	}
	for (int i = 0; i < 2; i++)
		endpoint_document_close(&documents[i]);
}

static void
take_subscription(const struct span bodies[2])
{
	struct subscription subscription = {.id = text("0190f5fe-7c00-7a00-8abc-012345678abc")};
	struct subscription_document documents[2] = {0};
	struct error err;

	for (int i = 0; i < 2; i++) {
		if (!subscription_document_open(&documents[i], bodies[i]) ||
		    !subscription_document_apply(&documents[i], "t", i == 0, &subscription)) {
			assert(documents[i].error.code != NULL && documents[i].error.detail[0] != '\0');
			break;
		}
		assert(subscription.endpoint_id.len == OBJECT_ID_BYTES - 1);
		assert(topic_pattern_check(subscription.topic_pattern, &err) == 0);
		assert(subscription.filter.base == NULL || filter_check(subscription.filter, &err) == 0);
		assert(subscription.transform.base == NULL || transform_check(subscription.transform, &err) == 0);
		assert((subscription.transform.base == NULL) == (subscription.transform_id.base == NULL));
	}
	for (int i = 0; i < 2; i++)
		subscription_document_close(&documents[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), *nul;
	struct span bodies[2];

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	nul = memchr(copy, '\0', size + 1);
	bodies[0] = (struct span){copy, (size_t)(nul - copy)};
	bodies[1] = bodies[0].len < size ? (struct span){nul + 1, size - bodies[0].len - 1} : text("{}");
	take_endpoint(bodies);
	take_subscription(bodies);
	free(copy);
	return 0;
}
