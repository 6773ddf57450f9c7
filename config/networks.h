/*
 * HL_ALLOW_NETWORKS: a list, separated by commas, of networks (10.1.0.0/16, fd00::/8, a single address) and of the
 * words loopback (127.0.0.0/8, ::1) and private (10/8, 172.16/12, 192.168/16: RFC 1918; 100.64/10: RFC 6598; fc00::/7:
 * RFC 4193).
 */
#ifndef CONFIG_NETWORKS_H
#define CONFIG_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

struct network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) */
	uint8_t prefix; /* significant bits, 0..128 */
};

#define NETWORKS_MAX 64

struct networks {
	struct network items[NETWORKS_MAX];
	uint32_t count;
};

/* Reads the list; NULL is an empty list. False: the text is malformed or has more than NETWORKS_MAX networks. */
bool networks_read(const char *text, struct networks *networks);

/* Whether networks_read() can read it. */
bool networks_valid(const char *text);

/* Whether an address, in the form of struct network, is in one of the networks. */
bool networks_contain(const struct networks *networks, const uint8_t address[16]);

#endif
