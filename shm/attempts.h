/*
 * Whose attempts are under way: a courier's slot has a word for each, so that any process can count those of a tenant.
 * The courier's loop alone writes the words. What a dead courier has left there counts until its successor begins.
 */
#ifndef SHM_ATTEMPTS_H
#define SHM_ATTEMPTS_H

#include <stdint.h>

#include "base/span.h"

/* Attempts that a courier has under way at most. */
#define COURIER_IN_FLIGHT_MOST 1000u

struct attempt_words {
	uint64_t tenants[COURIER_IN_FLIGHT_MOST]; /* a tenant_hash(); 0: no attempt */
};

/* A number that stands for the tenant, never 0. Two tenants hardly ever have the same. */
uint64_t tenant_hash(struct span tenant_id);

/* The attempt in that place is the tenant's; 0: there is none. */
void attempts_set(struct attempt_words *words, uint32_t place, uint64_t tenant);

/* How many attempts the tenant has there. Any process. */
uint32_t attempts_count(const struct attempt_words *words, uint64_t tenant);

#endif
