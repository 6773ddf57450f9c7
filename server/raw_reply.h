/* Answers to what libh2o never gets to see, and the reason phrases that every answer needs. Pure. */
#ifndef SERVER_RAW_REPLY_H
#define SERVER_RAW_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/* "Not Found" for 404. Only statuses that this service sends have one; another status is a programming error. */
const char *status_reason(int status);

#define RAW_REPLY_BYTES 2048 /* enough for the answer with its headers */

/*
 * Writes a whole answer, the last one of its connection: {"detail": text} and Connection: close; of_api: as the errors
 * of the management API are. 401 has WWW-Authenticate, 429 and 503 have Retry-After. text has at most 400
 * characters, none of which JSON escapes. Returns the length of the answer.
 */
size_t raw_reply(char out[RAW_REPLY_BYTES], int status, const char *text, bool of_api);

#endif
