/* Collects the parts of the request's path, query and headers, and writes them into frames. */
#include "server/control_request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/utf8_repair.h"
#include "server/body.h"
#include "server/control_outbox.h"
#include "server/post_headers.h"
#include "server/reply.h"

/* Whether the bytes are UTF-8 without NUL, as a frame's texts must be. */
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

/* HL_PUBLIC_URL, or the URL by which the client reached this service. */
static struct span
base_url_of(h2o_req_t *req, const struct config *config)
{
	struct span proto = header_of(req, "x-forwarded-proto");
	bool https = config->tls_cert_file != NULL || (proto.len == 5 && strncasecmp(proto.base, "https", 5) == 0);
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

/* Collects and checks the parts of the request. key is memory for the idempotency key. */
static bool
read_parts(
    struct exchange *exchange, const struct config *config, char key[IDEMPOTENCY_KEY_MAX], struct frame_request *parts)
{
	h2o_req_t *req = exchange->req;

	*parts = (struct frame_request){
	    .operation = exchange->match.route->operation,
	    .query = query_of(req),
	    .if_match = header_of(req, "if-match"),
	    .last_event_id = header_of(req, "last-event-id"),
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
	if (!is_text(parts->last_event_id))
		return refuse(exchange, 400, "validation_error", "Last-Event-ID: it is not UTF-8");
	if (!is_text(parts->base_url))
		return refuse(exchange, 400, "validation_error", "Host: it is not UTF-8");
	if (!post_key(req, key, &parts->idempotency_key))
		return refuse(exchange, 400, "validation_error",
		    "Idempotency-Key: it must be given once and be 1 to 255 visible ASCII characters, bare or in "
		    "quotes, and no placeholder such as null");
	return true;
}

/* Adds the body as frames; the last one ends the request. */
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

/* ---- requests for the development receiver ---- */

/* Adds a header; joins the values of a repeated name (RFC 9110 section 5.3). */
static void
add_header(cJSON *headers, struct span name, struct span value)
{
	struct bytes text = {0};
	struct bytes lower = {0};
	cJSON *before;

	for (size_t i = 0; i < name.len; i++) {
		char c = (char)tolower((unsigned char)name.base[i]);

		bytes_add(&lower, &c, 1);
	}
	bytes_add(&lower, "", 1);
	before = cJSON_DetachItemFromObjectCaseSensitive(headers, lower.base);
	if (before != NULL) {
		bytes_add_text(&text, before->valuestring);
		bytes_add_text(&text, ", ");
		cJSON_Delete(before);
	}
	utf8_repair(value, &text);
	bytes_add(&text, "", 1);
	if (cJSON_AddStringToObject(headers, lower.base, text.base) == NULL)
		mem_none(text.len);
	bytes_free(&lower);
	bytes_free(&text);
}

/* Writes the headers as a JSON object and a line feed. libh2o keeps Host separately. */
static void
add_headers(const h2o_req_t *req, struct bytes *out)
{
	cJSON *headers = cJSON_CreateObject();
	char *text;

	if (headers == NULL)
		mem_none(0);
	add_header(headers, (struct span){"host", 4}, (struct span){req->authority.base, req->authority.len});
	for (size_t i = 0; i < req->headers.size; i++) {
		const h2o_header_t *header = &req->headers.entries[i];

		add_header(headers, (struct span){header->name->base, header->name->len},
		    (struct span){header->value.base, header->value.len});
	}
	text = cJSON_PrintUnformatted(headers);
	if (text == NULL)
		mem_none(0);
	bytes_add_text(out, text);
	bytes_add(out, "\n", 1);
	cJSON_free(text);
	cJSON_Delete(headers);
}

/* Appends the body's frames. Returns false if it has answered the request. */
static bool
add_received(h2o_req_t *req, struct bytes *list, struct frame frame)
{
	static const struct body_limits limits = {FRAME_RECEIVED_BODY_MAX, 0};
	struct bytes whole = {0};
	struct refusal refusal;
	struct body body;

	if (!body_read_untyped(req, &limits, &body, &refusal)) {
		reply_error(req, refusal.status, refusal.text);
		return false;
	}
	add_headers(req, &whole);
	bytes_add(&whole, body.text.base, body.text.len);
	frame_list_add(list, &frame);
	add_body(list, frame, (struct span){whole.base, whole.len});
	bytes_free(&whole);
	body_free(&body);
	return true;
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
	if (parts.operation == OPERATION_INBOX_RECEIVE) {
		frame.payload = (struct span){payload.base, payload.len};
		return add_received(exchange->req, list, frame);
	}
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
