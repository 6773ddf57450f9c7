/* Finding the headers; ingest/headers.c reads what they say. */
#include "server/post_headers.h"

#include "ingest/event_id.h"

bool
post_is_lenient(const h2o_req_t *req)
{
	enum handling handling = HANDLING_UNSAID;
	ssize_t at = -1;

	while (
	    handling == HANDLING_UNSAID && (at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("prefer"), at)) != -1)
		handling = prefer_handling(req->headers.entries[at].value.base, req->headers.entries[at].value.len);
	return handling == HANDLING_LENIENT;
}

bool
post_key(const h2o_req_t *req, char text[IDEMPOTENCY_KEY_MAX], struct span *key)
{
	ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("idempotency-key"), -1);
	uint8_t ignored[16];

	*key = (struct span){NULL, 0};
	if (at == -1)
		return true;
	key->base = text;
	key->len = idempotency_key_parse(req->headers.entries[at].value.base, req->headers.entries[at].value.len, text);
	return event_id_read(key->base, key->len, ignored) != EVENT_ID_NONE &&
	       h2o_find_header_by_str(&req->headers, H2O_STRLIT("idempotency-key"), at) == -1;
}
