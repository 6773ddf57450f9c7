/*
 * The tenants of attempts in flight: a courier's slot has a word for each attempt, so that any process can count those
 * of a tenant. Only the courier's loop writes the words. A dead courier's attempts count until its successor begins.
 */
#ifndef SHM_ATTEMPTS_H
#define SHM_ATTEMPTS_H

#include <stdint.h>

#include "base/span.h"

/* The most attempts in flight of one courier. */
#define COURIER_IN_FLIGHT_MOST 1000u

struct attempt_words {
	uint64_t tenants[COURIER_IN_FLIGHT_MOST]; /* a tenant_hash(); 0: no attempt */
};

/* A hash of the tenant's id, never 0. Collisions are very unlikely. */
uint64_t tenant_hash(struct span tenant_id);

/* Records that the attempt in that place belongs to tenant; 0: the place is free. */
void attempts_set(struct attempt_words *words, uint32_t place, uint64_t tenant);

/* The number of the tenant's attempts. Any process. */
uint32_t attempts_count(const struct attempt_words *words, uint64_t tenant);

#endif
