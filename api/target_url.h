/*
 * The URL of an endpoint, as a client gives it and as it is kept, byte for byte. URLs are credentials: what is said
 * about one names places in it, and at most its host when that is an address.
 */
#ifndef API_TARGET_URL_H
#define API_TARGET_URL_H

#include "base/error.h"
#include "base/span.h"
#include "config/networks.h"

#define TARGET_URL_BYTES_MAX 2048

/*
 * Whether requests may be sent to the URL: http:// or https://, a host, perhaps a port, a path and a query; visible
 * ASCII without backslash; no user name, no fragment. A host that is an address, in any spelling that a C library
 * takes, or localhost, must be one that network_allowed() takes; what a name stands for is found out when a courier
 * connects. 0, or <0 with a sentence that begins with what is wrong: "has a blank at byte 17, ...". Pure; any process.
 */
int target_url_check(struct span url, const struct networks *allowed, struct error *err);

#endif
