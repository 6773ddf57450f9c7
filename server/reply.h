/*
 * Answers. Every answer is complete, has a length and a type, and is JSON unless its function says otherwise. A request
 * must be answered exactly once; after that its body is gone, and the request itself may be. Acceptors.
 */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include <cjson/cJSON.h>
#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "ingest/decode.h"

/*
 * Adds a header to the answer that is sent next, or on its way through a filter. Borrows both texts until it is
 * written.
 */
void reply_add_header(h2o_req_t *req, const char *name, const char *value, size_t len);

/* 204, without a body. */
void reply_nothing(h2o_req_t *req);

/* Sends body (copied) with that type. */
void reply_text(h2o_req_t *req, int status, const char *content_type, const char *body, size_t len);

/* 200 with a body that is never freed. */
void reply_static(h2o_req_t *req, const char *content_type, const char *body, size_t len);

/* Whether the request only reads, and says that its client has what that entity tag, with its quotes, stands for. */
bool reply_is_known(const h2o_req_t *req, struct span tag);

/* Sends the tree and deletes it. */
void reply_json(h2o_req_t *req, int status, cJSON *tree);

/*
 * {"detail": text}: text is a sentence for a person. Of a path of the management API it is
 * {"error": code, "detail": text, "message": text}, with the code that the status has there.
 */
void reply_error(h2o_req_t *req, int status, const char *text);

/* The same as a tree, for that path. */
cJSON *reply_error_tree(const h2o_req_t *req, int status, const char *text);

/* The error of the management API with a code of its own. */
void reply_api_error(h2o_req_t *req, int status, const char *code, const char *text);

/* Begins an answer of that many bytes of JSON; h2o_send() sends them, then connection_answered() is due. */
void reply_begin(h2o_req_t *req, int status, size_t len, h2o_generator_t *generator);

/*
 * Begins 200 with a stream of server-sent events, which proxies shall neither keep nor delay. It is the last answer of
 * its connection. As above.
 */
void reply_begin_stream(h2o_req_t *req, h2o_generator_t *generator);

/* An answer without its body: to a HEAD, or 304, which has no length (SIZE_MAX). */
void reply_without_body(h2o_req_t *req, int status, size_t len);

/* 503 with Retry-After. */
void reply_busy(h2o_req_t *req, const char *text);

/* 429 with Retry-After. */
void reply_too_many(h2o_req_t *req, const char *text);

/* The sentence of a 413 for a body over the limit, as it was sent or decompressed; valid until the next call. */
const char *reply_body_too_large_text(uint64_t limit, bool decompressed);

/* 405 with the Allow header. */
void reply_method_not_allowed(h2o_req_t *req, const char *allow);

/* 422, see rejection_of_request(). */
void reply_invalid(h2o_req_t *req, const struct decode_result *result, bool lenient);

/* 400 to published events, see rejection_of_published(). */
void reply_invalid_published(h2o_req_t *req, const struct decode_result *result, bool lenient);

/* 413 that says which event and which limit, see rejection_of_size(). */
void reply_too_large(h2o_req_t *req, const struct decode_error *error, const char *option);

/* Adds to the answer that the request was taken as a lenient one. */
void reply_add_preference_applied(h2o_req_t *req);

/*
 * What the answer to a lenient request says about the events that were left out: members of a JSON object, which belong
 * to the request's pool. Made before the request waits, since its body is gone by the time of its answer.
 */
const char *reply_rejected_members(h2o_req_t *req, const struct decode_result *result);

/*
 * 202 {"accepted":N,"message":...} and X-Hooks-Ack: where the events are ("stored", "spooled", "queued"). rejected: of
 * reply_rejected_members(), or NULL when the request is not lenient.
 */
void reply_accepted(h2o_req_t *req, uint32_t events, const char *reached, const char *rejected);

#endif
