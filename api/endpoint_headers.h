/*
 * An endpoint's own headers, which its requests carry. They are checked before they are stored, so every stored header
 * can be sent. Values are credentials of the receiver and never appear in messages.
 */
#ifndef API_ENDPOINT_HEADERS_H
#define API_ENDPOINT_HEADERS_H

#include "base/error.h"
#include "base/span.h"

#define ENDPOINT_HEADERS_MAX 32
#define ENDPOINT_HEADER_BYTES_MAX 4096 /* name and value */

/*
 * Checks that name is a token (RFC 9110 section 5.6.2) that neither HTTP nor the service itself uses, and that value is
 * visible ASCII, perhaps with blanks inside. Returns 0, or <0 with a predicate: "has a control character ...". Pure;
 * any process.
 */
int endpoint_header_check(struct span name, struct span value, struct error *err);

#endif
