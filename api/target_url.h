/*
 * The URL of an endpoint, as a client gives it and as it is kept, byte for byte. URLs are credentials: what is said
 * about one names places in it, and at most its host when that is an address.
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

/* How the path of a URL of the service's own inbox for trying things out begins. */
#define TARGET_INBOX_PATH "/v1/dev/inbox/receive/"

/* A URL in its parts. Spans are borrowed from it. */
struct target_url {
	bool https, is_address, is_ipv6; /* is_address: the host spells one, in any way that a C library takes */
	uint16_t port;
	char host[TARGET_HOST_BYTES_MAX + 1]; /* without brackets, and without a dot at its end */
	struct span authority; /* host and port, as they are written */
	struct span target; /* path and query, as they are written: empty, or with '/' or '?' at the beginning */
};

/*
 * Takes a URL apart: http:// or https://, a host, perhaps a port, a path and a query; visible ASCII without backslash;
 * no user name, no fragment. 0, or <0 with a sentence that begins with what is wrong: "has a blank at byte 17, ...".
 * Pure; any process.
 */
int target_url_split(struct span url, struct target_url *parts, struct error *err);

/*
 * Whether requests may be sent to its host as far as the text tells: an address must be one that network_allowed()
 * takes, and so must loopback for localhost. What a name stands for is found out when a courier connects. 0, or <0 with
 * a sentence: "points to 10.0.0.1, ...". Pure; any process.
 */
int target_url_judge(const struct target_url *parts, const struct networks *allowed, struct error *err);

/* Both. */
int target_url_check(struct span url, const struct networks *allowed, struct error *err);

/*
 * Whether the URL is one of the service's own inbox (HL_DEV_INBOX): its path is, with a token of letters, digits,
 * '-', '_' and '.' and nothing behind it, and its host is loopback or that of HL_PUBLIC_URL, with the same port;
 * public_url is NULL when there is none. Such a URL needs no permission of the
 * guard, and a courier connects to the service's own listener. Pure; any process.
 */
bool target_url_is_inbox(const struct target_url *parts, const char *public_url);

#endif
