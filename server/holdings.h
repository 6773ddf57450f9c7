/*
 * How much of something each client has, such as connections or bytes on a lane: a number for each, in the memory of
 * this process. A client is named by a number whose bits clients cannot choose, such as a part of a digest.
 */
#ifndef SERVER_HOLDINGS_H
#define SERVER_HOLDINGS_H

#include <stdbool.h>
#include <stdint.h>

struct holding {
	uint64_t client;
	uint64_t amount; /* 0: the cell is empty */
};

/* All zero: no client has anything. */
struct holdings {
	struct holding *cells; /* size of them, a power of two; at most half of them are used */
	uint32_t size, used;
};

uint64_t holdings_of(const struct holdings *holdings, uint64_t client);

/* Gives the client that much more. Ends the process when out of memory. */
void holdings_add(struct holdings *holdings, uint64_t client, uint64_t amount);

/* Takes that much away; the client has at least so much. */
void holdings_take(struct holdings *holdings, uint64_t client, uint64_t amount);

/*
 * Whether a client that has so much may have more while so much is free: up to eight times what is free. A client alone
 * gets eight ninths of the whole, two get eight seventeenths each, and something is always left for the next one.
 */
static inline bool
holdings_allow(uint64_t amount, uint64_t available)
{
	return amount / 8 <= available;
}

#endif
