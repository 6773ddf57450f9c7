/*
 * Amounts per client, such as connections or bytes on a lane, in this process's memory. A client is a number that
 * clients cannot choose, such as part of a digest.
 */
#ifndef SERVER_HOLDINGS_H
#define SERVER_HOLDINGS_H

#include <stdbool.h>
#include <stdint.h>

struct holding {
	uint64_t client;
	uint64_t amount; /* 0: the cell is empty */
};

/* All zero: empty. */
struct holdings {
	struct holding *cells; /* `size` of them, a power of two; at most half are used */
	uint32_t size, used;
};

uint64_t holdings_of(const struct holdings *holdings, uint64_t client);

/* Adds to the client's amount. Ends the process when out of memory. */
void holdings_add(struct holdings *holdings, uint64_t client, uint64_t amount);

/* Subtracts from the client's amount, which is at least that. */
void holdings_take(struct holdings *holdings, uint64_t client, uint64_t amount);

/*
 * Whether a client may get more: up to eight times the free amount. So a single client gets at most eight ninths of the
 * whole, two get eight seventeenths each, and some is always left for the next client.
 */
static inline bool
holdings_allow(uint64_t amount, uint64_t available)
{
	return amount / 8 <= available;
}

#endif
