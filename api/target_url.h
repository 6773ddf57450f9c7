/*
 * The URL of an endpoint, kept byte for byte as the client sent it. URLs are credentials: messages name positions in
 * them, and the host only if it is an address.
 */
#ifndef API_TARGET_URL_H
#define API_TARGET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "config/networks.h"

#define TARGET_URL_BYTES_MAX 2048

#define TARGET_HOST_BYTES_MAX 253 /* RFC 1035: 255 on the wire */

/* The prefix of paths of the service's own inbox (HL_DEV_INBOX). */
#define TARGET_INBOX_PATH "/v1/dev/inbox/receive/"

/* The parts of a URL. Spans borrow from it. */
struct target_url {
	bool https, is_address, is_ipv6; /* is_address: in any form that a C library accepts */
	uint16_t port;
	char host[TARGET_HOST_BYTES_MAX + 1]; /* without brackets and without a trailing dot */
	struct span authority; /* host and port, unchanged */
	struct span target; /* path and query, unchanged: empty, or beginning with '/' or '?' */
};

/*
 * Splits a URL: http:// or https://, a host, perhaps a port, a path and a query; visible ASCII without backslash, no
 * user name, no fragment. Returns 0, or <0 with a predicate: "has a blank at byte 17, ...". Pure; any process.
 */
int target_url_split(struct span url, struct target_url *parts, struct error *err);

/*
 * Checks the host as far as its text allows: an address must pass network_allowed(), localhost as loopback. Other names
 * are checked when a courier connects. Returns 0, or <0 with a predicate: "points to 10.0.0.1, ...". Pure; any process.
 */
int target_url_judge(const struct target_url *parts, const struct networks *allowed, struct error *err);

/* target_url_split() and target_url_judge(). */
int target_url_check(struct span url, const struct networks *allowed, struct error *err);

/*
 * Whether the URL leads to the service's own inbox (HL_DEV_INBOX): its path is TARGET_INBOX_PATH and a token of
 * letters, digits, '-', '_' and '.'; its host is loopback, or host and port are those of public_url (HL_PUBLIC_URL or
 * NULL). The network guard does not apply to such a URL: a courier connects to the service's own listener. Pure; any
 * process.
 */
bool target_url_is_inbox(const struct target_url *parts, const char *public_url);

#endif
