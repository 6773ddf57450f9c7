/* The header Retry-After of a reply (RFC 9110 section 10.2.3). */
#ifndef COURIER_RETRY_AFTER_H
#define COURIER_RETRY_AFTER_H

#include <stdint.h>

#include "base/span.h"

#define RETRY_AFTER_LEAST_MS 1000
#define RETRY_AFTER_MOST_MS (24 * 60 * 60 * 1000)

/*
 * The wait that the value asks for, as seconds or as a date in one of HTTP's three forms, clamped to the range above:
 * negative seconds and past dates become the least. -1: it cannot be read. now_us is the wall clock. Pure; any thread.
 */
int64_t retry_after_read(struct span value, int64_t now_us);

#endif
