/* Finds the headers; ingest/headers.c parses them. */
#include "server/post_headers.h"

#include <string.h>

#include "ingest/event_id.h"
#include "server/h2o_compat.h"

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

/* Joins several headers of that name to one list. */
static struct span
joined(h2o_req_t *req, const char *name, size_t most)
{
	struct span all = {NULL, 0};
	char *buffer = NULL;

	for (ssize_t at = -1; (at = h2o_find_header_by_str(&req->headers, name, strlen(name), at)) != -1;) {
		h2o_iovec_t value = req->headers.entries[at].value;

		if (all.len + 1 + value.len > most)
			return (struct span){NULL, 0};
		if (buffer == NULL)
			buffer = libh2o_alloc(req, most);
		if (all.len > 0)
			buffer[all.len++] = ',';
		memcpy(buffer + all.len, value.base, value.len);
		all = (struct span){buffer, all.len + value.len};
	}
	return all;
}

void
post_trace(h2o_req_t *req, struct span *traceparent, struct span *tracestate)
{
	*traceparent = joined(req, "traceparent", TRACEPARENT_MAX + 1);
	*tracestate = joined(req, "tracestate", TRACESTATE_MAX + 1);
	if (traceparent->base == NULL || !traceparent_valid(traceparent->base, traceparent->len))
		*traceparent = *tracestate = (struct span){NULL, 0};
	if (tracestate->base != NULL && !tracestate_valid(tracestate->base, tracestate->len))
		*tracestate = (struct span){NULL, 0};
}
