/* Hashes the seed and the address. An IPv4 address gives the same number in both families. */
#include "server/address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crypto.h"

#define ADDRESS_BYTES 8 /* of an IPv6 address; an IPv4 address is followed by zeros */

uint64_t
address_number(int fd, const uint8_t seed[ADDRESS_SEED_BYTES])
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof peer;
	uint8_t bytes[ADDRESS_SEED_BYTES + 1 + ADDRESS_BYTES] = {0}, digest[SHA256_BYTES];
	uint8_t *address = bytes + ADDRESS_SEED_BYTES + 1;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&peer;
	uint64_t number;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
		return 1;
	memcpy(bytes, seed, ADDRESS_SEED_BYTES);
	if (peer.ss_family == AF_INET) {
		memcpy(address, &((const struct sockaddr_in *)&peer)->sin_addr, 4);
	} else if (peer.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		memcpy(address, six->sin6_addr.s6_addr + 12, 4);
	} else if (peer.ss_family == AF_INET6) {
		address[-1] = 6;
		memcpy(address, six->sin6_addr.s6_addr, ADDRESS_BYTES);
	}
	crypto_sha256((struct span){(const char *)bytes, sizeof bytes}, digest);
	memcpy(&number, digest, sizeof number);
	return number | 1;
}
