/* The address of a client as a number, for limits. Acceptors. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stdint.h>

#define ADDRESS_SEED_BYTES 16

/*
 * A number for the address at the other end of the connection, which nobody can choose without knowing the seed. All
 * addresses of an IPv6 network of 64 bits are one: a client has all of them. Never 0; 1 when there is no address.
 */
uint64_t address_number(int fd, const uint8_t seed[ADDRESS_SEED_BYTES]);

#endif
