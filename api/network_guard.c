/* The networks that are not public. */
#include "api/network_guard.h"

#include <netinet/in.h>
#include <string.h>

#define MAPPED_BYTES 12 /* of ::ffff:0:0/96, before the IPv4 address */

static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
static const uint8_t nat64[MAPPED_BYTES] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052: the IPv4 address follows */

/* Prefix lengths include the 96 bits of ::ffff:0:0/96. */
#define IPV4(a, b, c, d, bits)                                                                                         \
	{                                                                                                              \
		{[10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d)}, 96 + (bits)                \
	}

static const struct networks refused_ipv4 = {
    .count = 16,
    .items =
	{
	    IPV4(0, 0, 0, 0, 8), /* this network */
	    IPV4(10, 0, 0, 0, 8), /* private */
	    IPV4(100, 64, 0, 0, 10), /* carrier-grade NAT */
	    IPV4(127, 0, 0, 0, 8), /* loopback */
	    IPV4(168, 63, 129, 16, 32), /* Azure's platform address, with metadata */
	    IPV4(169, 254, 0, 0, 16), /* link-local, with the metadata of clouds */
	    IPV4(172, 16, 0, 0, 12), /* private */
	    IPV4(192, 0, 0, 0, 24), /* protocol assignments */
	    IPV4(192, 0, 2, 0, 24), /* documentation */
	    IPV4(192, 88, 99, 0, 24), /* relays of 6to4 */
	    IPV4(192, 168, 0, 0, 16), /* private */
	    IPV4(198, 18, 0, 0, 15), /* benchmarks */
	    IPV4(198, 51, 100, 0, 24), /* documentation */
	    IPV4(203, 0, 113, 0, 24), /* documentation */
	    IPV4(224, 0, 0, 0, 4), /* multicast */
	    IPV4(240, 0, 0, 0, 4), /* reserved, with broadcast */
	},
};

/* Global unicast. All other networks are refused, even unassigned ones. */
static const struct networks global_ipv6 = {.count = 1, .items = {{{0x20}, 3}}};

/* The networks in it that are not public. */
static const struct networks refused_ipv6 = {
    .count = 4,
    .items =
	{
	    {{0x20, 0x01, 0x00}, 23}, /* protocol assignments, with Teredo */
	    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	    {{0x20, 0x02}, 16}, /* 6to4: an IPv4 address is inside */
	    {{0x3f, 0xff, 0x00}, 20}, /* documentation */
	},
};

static bool
ipv4_allowed(const struct networks *allowed, const uint8_t address[4])
{
	uint8_t whole[16];

	memcpy(whole, mapped, sizeof mapped);
	memcpy(whole + sizeof mapped, address, 4);
	return networks_contain(allowed, whole) || !networks_contain(&refused_ipv4, whole);
}

bool
network_allowed(const struct networks *allowed, const struct sockaddr *address)
{
	union {
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} copy;
	const uint8_t *bytes = copy.ipv6.sin6_addr.s6_addr;

	if (address->sa_family == AF_INET) {
		memcpy(&copy.ipv4, address, sizeof copy.ipv4);
		return ipv4_allowed(allowed, (const uint8_t *)&copy.ipv4.sin_addr);
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&copy.ipv6, address, sizeof copy.ipv6);
	if (networks_contain(allowed, bytes))
		return true;
	if (memcmp(bytes, nat64, sizeof nat64) == 0)
		return ipv4_allowed(allowed, bytes + sizeof nat64);
	return networks_contain(&global_ipv6, bytes) && !networks_contain(&refused_ipv6, bytes);
}
