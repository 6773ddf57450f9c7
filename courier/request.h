/* The headers of a request, as libcurl takes them. */
#ifndef COURIER_REQUEST_H
#define COURIER_REQUEST_H

#include <curl/curl.h>

#include "base/bytes.h"
#include "base/span.h"
#include "courier/attempt.h"

#define REQUEST_HEADERS_MAX 64 /* 32 of the endpoint, the others of the service */

/* All zero: none. It can be reused. */
struct request {
	struct bytes text; /* the lines, each with a NUL */
	struct curl_slist lines[REQUEST_HEADERS_MAX];
};

/* Facts that are not in the order. */
struct request_facts {
	const uint8_t *attempt_id; /* 16 bytes */
	int64_t now_us; /* wall clock, the time of the signatures */
	struct span body;
	struct span host; /* the value of Host; base NULL: libcurl's */
};

/* Makes the headers. The request owns the list; the next call replaces it. */
struct curl_slist *request_make(
    struct request *request, const struct attempt_spec *spec, const struct request_facts *facts);

/* Wipes the headers, which contain credentials. Keeps the memory, unless it has grown large. */
void request_wipe(struct request *request);
void request_free(struct request *request);

#endif
