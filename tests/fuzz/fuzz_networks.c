/*
 * Arbitrary texts as HL_ALLOW_NETWORKS, and arbitrary addresses: the first 16 bytes of an input are an address, the
 * rest is the list. For every input:
 *
 *   - a list that is accepted has an address exactly if one of its networks has it, bit by bit;
 *   - an address in none of them is allowed only if it is public by the text of the registries;
 *   - an IPv4 address that is refused is refused in the IPv6 forms of it too.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "api/network_guard.h"
#include "tests/fuzz/target.h"

struct range {
	const char *network;
	unsigned bits;
};

/* The networks of IANA's special-purpose registries, and those that are not unicast. */
static const struct range not_public[] = {{"0.0.0.0", 8}, {"10.0.0.0", 8}, {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.0.0.0", 24}, {"192.0.2.0", 24}, {"192.168.0.0", 16},
    {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24}, {"224.0.0.0", 4}, {"240.0.0.0", 4}, {"::", 128},
    {"::1", 128}, {"64:ff9b:1::", 48}, {"100::", 64}, {"2001::", 23}, {"2001:db8::", 32}, {"2002::", 16},
    {"3fff::", 20}, {"fc00::", 7}, {"fe80::", 10}, {"fec0::", 10}, {"ff00::", 8}};

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static bool
listed(const struct networks *networks, const uint8_t address[16])
{
	for (uint32_t i = 0; i < networks->count; i++)
		if (same_bits(networks->items[i].address, address, networks->items[i].prefix))
			return true;
	return false;
}

static bool
special(int family, const uint8_t *address)
{
	uint8_t network[16];

	for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++)
		if (inet_pton(family, not_public[i].network, network) == 1 &&
		    same_bits(network, address, not_public[i].bits))
			return true;
	return false;
}

static bool
ipv4_allowed(const struct networks *networks, const uint8_t address[4])
{
	struct sockaddr_in at = {.sin_family = AF_INET};

	memcpy(&at.sin_addr, address, 4);
	return network_allowed(networks, (const struct sockaddr *)&at);
}

static bool
ipv6_allowed(const struct networks *networks, const uint8_t address[16])
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6};

	memcpy(&at.sin6_addr, address, 16);
	return network_allowed(networks, (const struct sockaddr *)&at);
}

static void
check_ipv4(const struct networks *networks, const uint8_t address[4])
{
	uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff}, nat64[16] = {0x00, 0x64, 0xff, 0x9b};

	memcpy(mapped + 12, address, 4);
	memcpy(nat64 + 12, address, 4);
	if (!listed(networks, mapped))
		assert(!ipv4_allowed(networks, address) || !special(AF_INET, address));
	else
		assert(ipv4_allowed(networks, address));
	if (!ipv4_allowed(networks, address)) {
		assert(!ipv6_allowed(networks, mapped));
		assert(!ipv6_allowed(networks, nat64) || listed(networks, nat64));
	}
}

static void
check_ipv6(const struct networks *networks, const uint8_t address[16])
{
	assert(networks_contain(networks, address) == listed(networks, address));
	if (listed(networks, address))
		assert(ipv6_allowed(networks, address));
	else
		assert(!ipv6_allowed(networks, address) || !special(AF_INET6, address));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct networks networks;
	char *list;

	if (size < 16)
		return 0;
	list = malloc(size - 16 + 1);
	assert(list != NULL);
	memcpy(list, data + 16, size - 16);
	list[size - 16] = '\0';
	if (!networks_read(list, &networks))
		networks.count = 0;
	assert(networks.count <= NETWORKS_MAX);
	for (uint32_t i = 0; i < networks.count; i++)
		assert(networks.items[i].prefix <= 128);
	check_ipv4(&networks, data);
	check_ipv6(&networks, data);
	free(list);
	return 0;
}
