/*
 * The headers of its own that an endpoint's requests carry. What is stored can be sent: nothing is found out later.
 * Values are credentials of the receiver and never appear in what is said about one.
 */
#ifndef API_ENDPOINT_HEADERS_H
#define API_ENDPOINT_HEADERS_H

#include "base/error.h"
#include "base/span.h"

#define ENDPOINT_HEADERS_MAX 32
#define ENDPOINT_HEADER_BYTES_MAX 4096 /* name and value */

/*
 * Whether name is a token (RFC 9110 section 5.6.2) that neither HTTP nor the service itself uses, and value visible
 * ASCII with blanks inside. 0, or <0 with a sentence that begins with what is wrong: "has a control character ...".
 * Pure; any process.
 */
int endpoint_header_check(struct span name, struct span value, struct error *err);

#endif
