/* Networks in text. */
#include "config/networks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/text_rules.h"

#define IPV4_BITS 96 /* of the prefix ::ffff:0:0/96 */

static const char loopback[] = "127.0.0.0/8,::1";
static const char private[] = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7";

/* Returns the number of bits of the family's addresses, or 0: the text is no address. */
static unsigned
read_address(const char *text, uint8_t address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, address) == 1)
		return 128;
	memcpy(address, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, address + sizeof mapped) == 1 ? 32 : 0;
}

static bool
read_network(const char *text, size_t len, struct network *network)
{
	char copy[INET6_ADDRSTRLEN + sizeof "/128"], *slash, *end;
	unsigned bits, prefix;

	if (len == 0 || len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if ((slash = strchr(copy, '/')) != NULL)
		*slash++ = '\0';
	bits = prefix = read_address(copy, network->address);
	if (slash != NULL) {
		if (!isdigit((unsigned char)*slash) || strlen(slash) > 3)
			return false;
		prefix = (unsigned)strtoul(slash, &end, 10);
		if (*end != '\0' || prefix > bits)
			return false;
	}
	network->prefix = (uint8_t)(bits == 32 ? IPV4_BITS + prefix : prefix);
	return bits > 0;
}

static bool
add_network(void *context, const char *item, size_t len)
{
	struct networks *networks = context;

	return networks->count < NETWORKS_MAX && read_network(item, len, &networks->items[networks->count++]);
}

static bool
add(void *context, const char *item, size_t len)
{
	if (len == strlen("loopback") && strncmp(item, "loopback", len) == 0)
		return text_list_each(loopback, add_network, context);
	if (len == strlen("private") && strncmp(item, "private", len) == 0)
		return text_list_each(private, add_network, context);
	return add_network(context, item, len);
}

bool
networks_read(const char *text, struct networks *networks)
{
	networks->count = 0;
	return text == NULL || text_list_each(text, add, networks);
}

bool
networks_valid(const char *text)
{
	struct networks networks;

	return networks_read(text, &networks);
}

bool
networks_contain(const struct networks *networks, const uint8_t address[16])
{
	for (uint32_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];
		unsigned bytes = network->prefix / 8, rest = network->prefix % 8;
		uint8_t mask = (uint8_t)(0xff00 >> rest);

		if (memcmp(network->address, address, bytes) == 0 &&
		    (rest == 0 || ((network->address[bytes] ^ address[bytes]) & mask) == 0))
			return true;
	}
	return false;
}
