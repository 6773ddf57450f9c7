/*
 * Amounts per client, such as connections or bytes on a lane, in this process's memory. A client is a number that
 * clients cannot choose, such as part of a digest.
 */
#ifndef SERVER_CLIENT_AMOUNTS_H
#define SERVER_CLIENT_AMOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct client_amount {
	uint64_t client;
	uint64_t amount; /* 0: the cell is empty */
};

/* All zero: empty. */
struct client_amounts {
	struct client_amount *cells; /* `size` of them, a power of two; at most half are used */
	uint32_t size, used;
};

uint64_t client_amounts_of(const struct client_amounts *amounts, uint64_t client);

/* Adds to the client's amount. Ends the process when out of memory. */
void client_amounts_add(struct client_amounts *amounts, uint64_t client, uint64_t amount);

/* Subtracts from the client's amount, which is at least that. */
void client_amounts_take(struct client_amounts *amounts, uint64_t client, uint64_t amount);

/*
 * Whether a client may get more: up to eight times the free amount. So a single client gets at most eight ninths of the
 * whole, two get eight seventeenths each, and some is always left for the next client.
 */
static inline bool
client_amounts_allow(uint64_t amount, uint64_t available)
{
	return amount / 8 <= available;
}

#endif
