/* Reads Content-Type and Content-Encoding, and decompresses bodies. */
#include "server/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/reply.h"

static struct span
header_value(const h2o_req_t *req, const h2o_token_t *token)
{
	ssize_t at = h2o_find_header(&req->headers, token, -1);

	if (at == -1)
		return (struct span){NULL, 0};
	return (struct span){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

/* Whether the text before the next semicolon, without outer blanks and quotes, is that word in any case. */
static bool
word_is(struct span value, const char *word)
{
	const char *end = memchr(value.base, ';', value.len);
	size_t len = end != NULL ? (size_t)(end - value.base) : value.len;

	while (len > 0 && strchr(" \t\"", value.base[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(" \t\"", *value.base) != NULL) {
		value.base++;
		len--;
	}
	return len == strlen(word) && strncasecmp(value.base, word, len) == 0;
}

/* Whether a Content-Type has no charset, or UTF-8 or a subset of it. */
static bool
charset_fits(struct span type)
{
	static const char name[] = "charset=";
	const char *at = type.base, *end = type.base + type.len;

	while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		do
			at++;
		while (at < end && (*at == ' ' || *at == '\t'));
		if ((size_t)(end - at) >= sizeof name - 1 && strncasecmp(at, name, sizeof name - 1) == 0) {
			struct span charset = {at + sizeof name - 1, (size_t)(end - at) - (sizeof name - 1)};

			return word_is(charset, "utf-8") || word_is(charset, "utf8") || word_is(charset, "us-ascii");
		}
	}
	return true;
}

static bool
refuse(struct refusal *refusal, int status, enum counter reason, const char *text)
{
	*refusal = (struct refusal){.status = status, .reason = reason, .text = text};
	return false;
}

static bool
refuse_encoding(h2o_req_t *req, struct refusal *refusal, const char *text)
{
	reply_add_header(req, "Accept-Encoding", H2O_STRLIT("gzip, zstd"));
	return refuse(refusal, 415, COUNTER_REJECTED_ENCODING, text);
}

static bool
is_ndjson(struct span type)
{
	static const char *const names[] = {"application/x-ndjson", "application/ndjson", "application/jsonl",
	    "application/x-jsonlines", "application/jsonlines"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (word_is(type, names[i]))
			return true;
	return false;
}

static bool
read_kind(const h2o_req_t *req, bool batch, enum body_kind *kind, struct refusal *refusal)
{
	struct span type = header_value(req, H2O_TOKEN_CONTENT_TYPE);

	*kind = batch ? BODY_ARRAY : BODY_EVENT;
	if (type.len == 0)
		return true;
	if (!charset_fits(type))
		return refuse(refusal, 415, COUNTER_REJECTED_MEDIA_TYPE,
		    "The charset of Content-Type must be UTF-8: events are UTF-8, as all JSON is");
	if (word_is(type, "application/json") || word_is(type, "text/json"))
		return true;
	if (is_ndjson(type)) {
		*kind = BODY_NDJSON;
		return batch || refuse(refusal, 415, COUNTER_REJECTED_MEDIA_TYPE,
				    "NDJSON goes to /events/batch; /events takes one application/json object");
	}
	return refuse(refusal, 415, COUNTER_REJECTED_MEDIA_TYPE,
	    batch ? "Content-Type must be application/json (an array of events) or application/x-ndjson (one a line)"
		  : "Content-Type must be application/json (with curl: -H 'Content-Type: application/json')");
}

/* Reads all Content-Encoding headers together. Returns 0 or one of enum encoding_condition. */
static int
encoding_of(const h2o_req_t *req, enum content_encoding *encoding)
{
	ssize_t at = -1;
	int rc = 0;

	while (rc == 0 && (at = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_ENCODING, at)) != -1)
		rc = content_encoding_add(
		    req->headers.entries[at].value.base, req->headers.entries[at].value.len, encoding);
	return rc;
}

static bool
read_encoding(h2o_req_t *req, enum content_encoding *encoding, struct refusal *refusal)
{
	*encoding = ENCODING_IDENTITY;
	switch (encoding_of(req, encoding)) {
	case ENCODING_UNKNOWN:
		return refuse_encoding(req, refusal, "Content-Encoding must be gzip, zstd or identity");
	case ENCODING_SEVERAL:
		return refuse_encoding(
		    req, refusal, "Content-Encoding names several: compress the body once, by gzip or zstd");
	default:
		return true;
	}
}

/* The most decompressed bytes of a body of len bytes. */
static uint64_t
most_of(const struct body_limits *limits, size_t len)
{
	uint64_t most = (uint64_t)len * limits->ratio;

	if (most < BODY_UNMEASURED)
		most = BODY_UNMEASURED;
	return limits->ratio == 0 || most > limits->bytes ? limits->bytes : most;
}

static bool
refuse_growth(h2o_req_t *req, uint32_t ratio, struct refusal *refusal)
{
	char text[128];

	(void)snprintf(text, sizeof text,
	    "The body grows more than %u times when it is decompressed (MAX_COMPRESSION_RATIO)", ratio);
	return refuse(refusal, 413, COUNTER_REJECTED_COMPRESSION, h2o_strdup(&req->pool, text, SIZE_MAX).base);
}

static bool
decompress(h2o_req_t *req, enum content_encoding encoding, const struct body_limits *limits, struct body *body,
    struct refusal *refusal)
{
	const uint64_t most = most_of(limits, body->text.len);
	struct error err;

	switch (inflate_body(encoding, body->text, most, &body->inflated, &err)) {
	case 0:
		body->text = (struct span){body->inflated.base, body->inflated.len};
		return true;
	case INFLATE_TOO_LARGE:
		if (most < limits->bytes)
			return refuse_growth(req, limits->ratio, refusal);
		return refuse(refusal, 413, COUNTER_REJECTED_BODY_SIZE, reply_body_too_large_text(limits->bytes, true));
	default:
		return refuse(
		    refusal, 400, COUNTER_REJECTED_COMPRESSION, h2o_strdup(&req->pool, err.text, SIZE_MAX).base);
	}
}

bool
body_read_untyped(h2o_req_t *req, const struct body_limits *limits, struct body *body, struct refusal *refusal)
{
	enum content_encoding encoding;

	body->inflated = (struct inflated){NULL, 0};
	body->text = (struct span){req->entity.base, req->entity.len};
	if (body->text.len > limits->bytes)
		return refuse(
		    refusal, 413, COUNTER_REJECTED_BODY_SIZE, reply_body_too_large_text(limits->bytes, false));
	if (!read_encoding(req, &encoding, refusal))
		return false;
	return encoding == ENCODING_IDENTITY || decompress(req, encoding, limits, body, refusal);
}

bool
body_read(h2o_req_t *req, bool batch, const struct body_limits *limits, struct body *body, struct refusal *refusal)
{
	return read_kind(req, batch, &body->kind, refusal) && body_read_untyped(req, limits, body, refusal);
}

bool
body_read_document(h2o_req_t *req, struct body *body, struct refusal *refusal)
{
	static const struct body_limits limits = {BODY_DOCUMENT_MAX, 0};

	body->kind = BODY_EVENT;
	if (body_read_untyped(req, &limits, body, refusal))
		return true;
	if (refusal->status == 413)
		refusal->text = "The body has more than 65536 bytes, as it was sent or decompressed";
	return false;
}

void
body_free(struct body *body)
{
	free(body->inflated.base);
}
