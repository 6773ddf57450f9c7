/* The body of a request: its media type, and its bytes without their encoding. Acceptors. */
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
	struct inflated inflated; /* empty when the body was not compressed */
};

struct body_limits {
	uint64_t bytes; /* of the body as it was sent, and of the decompressed one */
	uint32_t ratio; /* of the latter to the former, where it has more than BODY_UNMEASURED; 0: any */
};

#define BODY_UNMEASURED (1u << 20)

/*
 * Reads the body by Content-Type (a body without one is JSON) and Content-Encoding. batch: arrays of events and NDJSON
 * are taken, else one event. Returns true with
 * *body, which ends with body_free(); or false with *refusal.
 */
bool body_read(
    h2o_req_t *req, bool batch, const struct body_limits *limits, struct body *body, struct refusal *refusal);

/* The same without Content-Type, which is never a reason to refuse a request of the API: kind is not set. */
bool body_read_untyped(h2o_req_t *req, const struct body_limits *limits, struct body *body, struct refusal *refusal);

/* The most bytes of a document of the management API, also when it is decompressed. */
#define BODY_DOCUMENT_MAX (64u << 10)

/*
 * Reads the body of a request of the management API by Content-Encoding alone: its type is never a reason to refuse it.
 * Returns as body_read() does.
 */
bool body_read_document(h2o_req_t *req, struct body *body, struct refusal *refusal);

void body_free(struct body *body);

#endif
