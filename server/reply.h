/*
 * Sends answers. Every answer has a length and a type, and is JSON unless its function says otherwise. Answer a request
 * exactly once; afterwards its body is gone, and perhaps the request itself. Acceptors.
 */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include <cjson/cJSON.h>
#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "ingest/decode.h"

/* Adds a header to the coming answer, or to the current one in a filter. Borrows both texts until it is written. */
void reply_add_header(h2o_req_t *req, const char *name, const char *value, size_t len);

/* Sends 204 without a body. */
void reply_nothing(h2o_req_t *req);

/* Sends a copy of body with that type. */
void reply_text(h2o_req_t *req, int status, const char *content_type, const char *body, size_t len);

/* Sends 200 with a body that is never freed. */
void reply_static(h2o_req_t *req, const char *content_type, const char *body, size_t len);

/* Whether the request only reads, and its If-None-Match has that entity tag (with quotes). */
bool reply_is_known(const h2o_req_t *req, struct span tag);

/* Sends the tree and deletes it. */
void reply_json(h2o_req_t *req, int status, cJSON *tree);

/*
 * Sends {"detail": text}, a sentence for a person. On paths of the management API it is {"error": code, "detail": text,
 * "message": text}, with the status's code there.
 */
void reply_error(h2o_req_t *req, int status, const char *text);

/* The body of reply_error() as a tree. */
cJSON *reply_error_tree(const h2o_req_t *req, int status, const char *text);

/* Sends an error of the management API with that code. */
void reply_api_error(h2o_req_t *req, int status, const char *code, const char *text);

/*
 * Begins an answer of that many bytes of JSON. The caller sends them by h2o_send() and then calls
 * connection_answered().
 */
void reply_begin(h2o_req_t *req, int status, size_t len, h2o_generator_t *generator);

/*
 * Begins 200 with a stream of server-sent events, with headers against caching and buffering by proxies. It is the last
 * answer of its connection. Continue as above.
 */
void reply_begin_stream(h2o_req_t *req, h2o_generator_t *generator);

/* Sends an answer without its body: to a HEAD, or 304, which has no length (SIZE_MAX). */
void reply_without_body(h2o_req_t *req, int status, size_t len);

/* Sends 503 with Retry-After. */
void reply_busy(h2o_req_t *req, const char *text);

/* Sends 429 with Retry-After. */
void reply_too_many(h2o_req_t *req, const char *text);

/* The sentence of a 413 for a body over the limit, sent or decompressed; valid until the next call. */
const char *reply_body_too_large_text(uint64_t limit, bool decompressed);

/* Sends 405 with the Allow header. */
void reply_method_not_allowed(h2o_req_t *req, const char *allow);

/* Sends 422, see rejection_of_request(). */
void reply_invalid(h2o_req_t *req, const struct decode_result *result, bool lenient);

/* Sends 400 for published events, see rejection_of_published(). */
void reply_invalid_published(h2o_req_t *req, const struct decode_result *result, bool lenient);

/* Sends 413, see rejection_of_size(). */
void reply_too_large(h2o_req_t *req, const struct decode_error *error, const char *option);

/* Adds Preference-Applied: handling=lenient to the answer. */
void reply_add_preference_applied(h2o_req_t *req);

/*
 * Members of a JSON object about the skipped events of a lenient request, in the request's pool. Make them before the
 * request waits, because its body is gone when it is answered.
 */
const char *reply_rejected_members(h2o_req_t *req, const struct decode_result *result);

/*
 * Sends 202 {"accepted":N,"message":...} with X-Hooks-Ack: reached ("stored", "spooled", "queued"). rejected: from
 * reply_rejected_members(), or NULL if the request is not lenient.
 */
void reply_accepted(h2o_req_t *req, uint32_t events, const char *reached, const char *rejected);

#endif
