/*
 * Which addresses an endpoint's requests may go to: public ones, and those of HL_ALLOW_NETWORKS. Control asks for
 * addresses that stand in URLs (api/target_url.h), a courier for each socket address before it connects. Nothing else
 * decides this. The refused networks are those of IANA's special-purpose registries (RFC 6890); network_guard.c lists
 * them.
 */
#ifndef API_NETWORK_GUARD_H
#define API_NETWORK_GUARD_H

#include <stdbool.h>

#include <sys/socket.h>

#include "config/networks.h"

/*
 * Whether a request may be sent to the address, whatever its port. address is of AF_INET or AF_INET6, whole; of another
 * family it is refused. Pure; any process.
 */
bool network_allowed(const struct networks *allowed, const struct sockaddr *address);

#endif
