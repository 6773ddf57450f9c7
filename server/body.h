/* The body of a request: its media type and its decoded bytes. Acceptors. */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/span.h"
#include "ingest/decode.h"
#include "ingest/inflate.h"
#include "server/refusal.h"

struct body {
	enum body_kind kind;
	struct span text; /* in the request, or in inflated */
	struct inflated inflated; /* empty if the body was not compressed */
};

struct body_limits {
	uint64_t bytes; /* of the body, both as sent and decompressed */
	uint32_t ratio; /* decompressed to sent, for bodies above BODY_UNMEASURED; 0: any */
};

#define BODY_UNMEASURED (1u << 20)

/*
 * Reads the body by Content-Type (JSON if absent) and Content-Encoding. batch: accepts arrays of events and NDJSON,
 * else one event. Returns true with *body, to be released by body_free(), or false with *refusal.
 */
bool body_read(
    h2o_req_t *req, bool batch, const struct body_limits *limits, struct body *body, struct refusal *refusal);

/* The same, ignoring Content-Type: the API refuses no request for it. Does not set kind. */
bool body_read_untyped(h2o_req_t *req, const struct body_limits *limits, struct body *body, struct refusal *refusal);

/* The most bytes of a document of the management API, sent or decompressed. */
#define BODY_DOCUMENT_MAX (64u << 10)

/* Reads the body of a request of the management API, ignoring Content-Type. Returns as body_read(). */
bool body_read_document(h2o_req_t *req, struct body *body, struct refusal *refusal);

void body_free(struct body *body);

#endif
