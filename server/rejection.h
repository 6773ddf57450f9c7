/* Bodies of answers about refused events. Pure; the caller deletes the trees. */
#ifndef SERVER_REJECTION_H
#define SERVER_REJECTION_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "ingest/decode.h"

/*
 * The body of a 422: {"detail":[{"type","loc","msg"}]}, as in the original service. lenient: the request is lenient, so
 * a number in loc is always an event's.
 */
cJSON *rejection_of_request(const struct decode_result *result, bool lenient);

/* For the answer to a lenient request: {"rejected": number of skipped events, "errors": as "detail" above}. */
cJSON *rejection_of_events(const struct decode_result *result);

/*
 * The body of a 400 to published events: {"error","detail","message","errors"}. detail is a sentence about the first
 * error; errors is "detail" as above.
 */
cJSON *rejection_of_published(const struct decode_result *result, bool lenient);

#define REJECTION_TEXT_BYTES 224

/*
 * The sentence of a 413: the event that is too large, or too many events, with the limit. option: the option that
 * limits an event's bytes.
 */
void rejection_of_size(const struct decode_error *error, const char *option, char text[REJECTION_TEXT_BYTES]);

#endif
