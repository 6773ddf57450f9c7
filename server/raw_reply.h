/* Whole answers for connections where libh2o sees no request, and the reason phrases of all answers. Pure. */
#ifndef SERVER_RAW_REPLY_H
#define SERVER_RAW_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/* "Not Found" for 404. Only for statuses that this service sends. */
const char *status_reason(int status);

#define RAW_REPLY_BYTES 2048 /* enough for the answer with its headers */

/*
 * Writes the last answer of a connection: {"detail": text} with Connection: close; of_api: in the form of the
 * management API's errors. 401 has WWW-Authenticate, 429 and 503 have Retry-After. text has at most 400 characters and
 * none that JSON escapes. Returns the answer's length.
 */
size_t raw_reply(char out[RAW_REPLY_BYTES], int status, const char *text, bool of_api);

#endif
