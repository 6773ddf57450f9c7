/* Finding the parts in the request's path, query and headers, and writing them into frames. */
#include "server/control_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "server/body.h"
#include "server/control_outbox.h"
#include "server/post_headers.h"
#include "server/reply.h"

/* Whether the bytes are UTF-8 without NUL, as texts of a frame are. */
static bool
is_text(struct span text)
{
	while (text.len > 0) {
		size_t n = utf8_length(text.base, text.len);

		if (n == 0 || *text.base == '\0')
			return false;
		text.base += n;
		text.len -= n;
	}
	return true;
}

static struct span
header_of(const h2o_req_t *req, const char *lower_name)
{
	ssize_t at = h2o_find_header_by_str(&req->headers, lower_name, strlen(lower_name), -1);

	if (at == -1)
		return (struct span){NULL, 0};
	return (struct span){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

static struct span
query_of(const h2o_req_t *req)
{
	if (req->query_at == SIZE_MAX)
		return (struct span){"", 0};
	return (struct span){req->path.base + req->query_at + 1, req->path.len - req->query_at - 1};
}

/* HL_PUBLIC_URL, or what the client has called this service. */
static struct span
base_url_of(h2o_req_t *req, const struct config *config)
{
	struct span proto = header_of(req, "x-forwarded-proto");
	bool https = proto.len == 5 && strncasecmp(proto.base, "https", 5) == 0;
	h2o_iovec_t url;

	if (config->hl_public_url != NULL)
		return (struct span){config->hl_public_url, strlen(config->hl_public_url)};
	url = https ? h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("https://")), req->authority)
		    : h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("http://")), req->authority);
	return (struct span){url.base, url.len};
}

static bool
refuse(struct exchange *exchange, int status, const char *code, const char *text)
{
	reply_api_error(exchange->req, status, code, text);
	return false;
}

/* key: the bytes of the idempotency key. */
static bool
read_parts(
    struct exchange *exchange, const struct config *config, char key[IDEMPOTENCY_KEY_MAX], struct frame_request *parts)
{
	h2o_req_t *req = exchange->req;

	*parts = (struct frame_request){
	    .operation = exchange->match.route->operation,
	    .query = query_of(req),
	    .if_match = header_of(req, "if-match"),
	    .base_url = base_url_of(req, config),
	    .caller = exchange->caller,
	};
	for (uint32_t i = 0; i < exchange->match.param_count; i++) {
		parts->params[i] = exchange->match.params[i];
		if (!is_text(parts->params[i]))
			return refuse(exchange, 400, "validation_error", "path: an id is not UTF-8, or holds a NUL");
	}
	if (!is_text(parts->query))
		return refuse(exchange, 400, "validation_error", "query: it is not UTF-8");
	if (!is_text(parts->if_match))
		return refuse(exchange, 400, "validation_error", "If-Match: it is not UTF-8");
	if (!is_text(parts->base_url))
		return refuse(exchange, 400, "validation_error", "Host: it is not UTF-8");
	if (!post_key(req, key, &parts->idempotency_key))
		return refuse(exchange, 400, "validation_error",
		    "Idempotency-Key: it must be given once and be 1 to 255 visible ASCII characters, bare or in "
		    "quotes, and no placeholder such as null");
	return true;
}

/* The body, in frames of which the last one ends the request. */
static void
add_body(struct bytes *list, struct frame frame, struct span body)
{
	frame.kind = FRAME_BODY;
	while (body.len > 0) {
		frame.payload = (struct span){body.base, body.len < FRAME_BODY_BYTES ? body.len : FRAME_BODY_BYTES};
		body.base += frame.payload.len;
		body.len -= frame.payload.len;
		frame.end = body.len == 0;
		frame_list_add(list, &frame);
	}
}

bool
control_request_write(
    struct exchange *exchange, const struct config *config, uint32_t sender, uint32_t number, struct bytes *list)
{
	static struct bytes payload;
	struct frame frame = {.kind = FRAME_REQUEST, .sender = sender, .request = number};
	struct frame_request parts;
	struct refusal refusal;
	struct body body;
	char key[IDEMPOTENCY_KEY_MAX];

	payload.len = 0;
	if (!read_parts(exchange, config, key, &parts))
		return false;
	if (!frame_write_request(&payload, &parts))
		return refuse(exchange, 414, "validation_error", "query: it is too long");
	if (!body_read_document(exchange->req, &body, &refusal)) {
		reply_error(exchange->req, refusal.status, refusal.text);
		return false;
	}
	frame.payload = (struct span){payload.base, payload.len};
	frame.end = body.text.len == 0;
	frame_list_add(list, &frame);
	add_body(list, frame, body.text);
	body_free(&body);
	return true;
}
