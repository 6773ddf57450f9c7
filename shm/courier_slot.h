/* A courier's slot: its own members after the head of every slot (shm/slots.h). Any process reads it. */
#ifndef SHM_COURIER_SLOT_H
#define SHM_COURIER_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/attempts.h"
#include "shm/slots.h"
#include "shm/shared_text.h"

struct courier_slot {
	struct process_slot process;
	int64_t seen_version; /* of the table changes */
	int64_t oldest_due_us; /* see courier_oldest_due_us() */
	uint32_t missed; /* see courier_missed() */
	struct shared_text pause; /* see courier_pause_reason() */
	struct attempt_words attempts; /* in flight: shm/attempts.h */
};

/* Clears the courier's members for a new run. Called by the master before it forks. */
void courier_slot_reset(struct courier_slot *slot);

/*
 * The number of times that publishers left jobs in their rows instead of handing them over. A publisher calls
 * courier_add_missed() and wakes the courier, which reads the rows again when the number has changed.
 */
uint32_t courier_missed(const struct courier_slot *slot);
void courier_add_missed(struct courier_slot *slot);

/* Whether the courier may begin attempts: its process lives and does not drain. */
bool courier_can_begin(const struct courier_slot *slot);

/* The version of the table changes that the courier's loop has applied. Only the courier sets it. */
int64_t courier_seen_version(const struct courier_slot *slot);
void courier_set_seen_version(struct courier_slot *slot, int64_t version);

/*
 * The due time, by the steady clock, of the longest overdue job in the courier's memory whose endpoint accepts
 * attempts; 0: none waits. Only the courier's loop sets it.
 */
int64_t courier_oldest_due_us(const struct courier_slot *slot);
void courier_set_oldest_due_us(struct courier_slot *slot, int64_t due_us);

/*
 * Why deliveries of all tenants are paused, as a sentence; "": they are not. Only the store thread of courier 0 sets
 * it. out gets a consistent copy.
 */
void courier_pause_reason(const struct courier_slot *slot, char out[ERROR_TEXT_MAX]);
void courier_set_pause_reason(struct courier_slot *slot, const char *text);

#endif
