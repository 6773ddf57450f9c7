/* A number for a client's address, for limits. Acceptors. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stdint.h>

#define ADDRESS_SEED_BYTES 16

/*
 * A keyed hash of the peer's address; clients cannot predict it without the seed. All addresses of an IPv6 /64 network
 * count as one, because one client usually has them all. Never 0; 1: the peer has no address.
 */
uint64_t address_number(int fd, const uint8_t seed[ADDRESS_SEED_BYTES]);

#endif
