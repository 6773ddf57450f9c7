/*
 * Responses: every one is complete, has a length and a type, and is JSON unless it says otherwise. A request must be
 * answered exactly once; after that it may be gone.
 */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include <cjson/cJSON.h>
#include <h2o.h>
#include <stdint.h>

#include "ingest/decode.h"

/* Adds a header to the response that is sent next, or on its way through a filter. Borrows both until then. */
void reply_add_header(h2o_req_t *req, const char *name, const char *value, size_t len);

/* 204. */
void reply_nothing(h2o_req_t *req);

/* Sends body (copied) with that type. */
void reply_text(h2o_req_t *req, int status, const char *content_type, const char *body, size_t len);

/* Room for a response with headers. */
#define REPLY_PLAIN_BYTES 1024

/*
 * Writes the last response of a connection whose request libh2o never got: {"detail": text}, Connection: close. text is
 * short and needs no escapes in JSON. Returns its length.
 */
size_t reply_plain(char out[REPLY_PLAIN_BYTES], int status, const char *text);

/* Sends the tree and deletes it. */
void reply_json(h2o_req_t *req, int status, cJSON *tree);

/* {"detail": "..."}: text is a sentence for a person. */
void reply_error(h2o_req_t *req, int status, const char *text);

/* 503 with Retry-After: nothing of the request was kept. */
void reply_busy(h2o_req_t *req, const char *text);

/* What a 413 for a body over the limit says, as it was sent or decompressed; valid until the next call. */
const char *reply_body_too_large_text(uint64_t limit, bool decompressed);

/* 405 with the Allow header. */
void reply_method_not_allowed(h2o_req_t *req, const char *allow);

/* 422 with the {"detail":[{"type","loc","msg"}]} shape of the original service. lenient: see reply_rejected(). */
void reply_invalid(h2o_req_t *req, const struct decode_result *result, bool lenient);

/* 413 that says which event and which limit. */
void reply_too_large(h2o_req_t *req, const struct decode_error *error);

/*
 * What the answer to a lenient request tells of the events that were left out: their number and their errors, as members
 * of a JSON object. Lives as long as the request, whose body may be gone by the time of its answer.
 */
const char *reply_rejected(h2o_req_t *req, const struct decode_result *result);

/*
 * 202 {"accepted":N,"message":...} and X-Hooks-Ack: what was reached ("stored", "spooled", "queued"). rejected is NULL
 * unless the request is lenient.
 */
void reply_accepted(h2o_req_t *req, uint32_t events, const char *reached, const char *rejected);

#endif
