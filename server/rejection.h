/* What an answer says about events that were not taken. Pure; trees are the caller's to delete. */
#ifndef SERVER_REJECTION_H
#define SERVER_REJECTION_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "ingest/decode.h"

/*
 * The body of a 422: {"detail":[{"type","loc","msg"}]}, the shape of the original service. lenient: the request was, so
 * a number in loc is an event's.
 */
cJSON *rejection_of_request(const struct decode_result *result, bool lenient);

/* For the answer to a lenient request: {"rejected": how many events were left out, "errors": as "detail" above}. */
cJSON *rejection_of_events(const struct decode_result *result);

/*
 * The body of a 400 to published events: {"error","detail","message","errors"}. detail is the first error as a sentence
 * with its place, errors is "detail" as above.
 */
cJSON *rejection_of_published(const struct decode_result *result, bool lenient);

#define REJECTION_TEXT_BYTES 224

/*
 * The sentence of a 413: which event is too large, or how many events are too many, and the limit. option: that limits
 * an event's bytes.
 */
void rejection_of_size(const struct decode_error *error, const char *option, char text[REJECTION_TEXT_BYTES]);

#endif
