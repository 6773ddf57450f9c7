/*
 * The only place that decides to which addresses endpoints' requests may go: public ones and those of
 * HL_ALLOW_NETWORKS. Control checks addresses in URLs (api/target_url.h); a courier checks each socket address before
 * it connects. Refused are the networks of IANA's special-purpose registries (RFC 6890), listed in network_guard.c.
 */
#ifndef API_NETWORK_GUARD_H
#define API_NETWORK_GUARD_H

#include <stdbool.h>

#include <sys/socket.h>

#include "config/networks.h"

/*
 * Whether a request may be sent to the address, on any port. Families other than AF_INET and AF_INET6 are refused.
 * Pure; any process.
 */
bool network_allowed(const struct networks *allowed, const struct sockaddr *address);

#endif
