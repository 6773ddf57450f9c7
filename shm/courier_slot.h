/* What a courier says of itself in the segment, beside what every process says (shm/slots.h). Any process reads it. */
#ifndef SHM_COURIER_SLOT_H
#define SHM_COURIER_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/attempts.h"
#include "shm/slots.h"
#include "shm/turned_text.h"

struct courier_slot {
	struct process_slot process;
	int64_t seen_version; /* of the table changes */
	int64_t oldest_due_us; /* see courier_oldest_due_us() */
	uint32_t missed; /* see courier_missed() */
	struct turned_text pause; /* see courier_pause() */
	struct attempt_words attempts; /* under way: shm/attempts.h */
};

/* Empties what the slot says of a courier, for a new run: the master, before it forks. */
void courier_slot_reset(struct courier_slot *slot);

/*
 * How often publishers have left jobs in their rows instead of handing them over; a publisher calls the second, and
 * then wakes the courier, which reads rows again when the number has moved.
 */
uint32_t courier_missed(const struct courier_slot *slot);
void courier_add_missed(struct courier_slot *slot);

/* Whether the courier may begin attempts: there is a process, and it does not drain. */
bool courier_begins(const struct courier_slot *slot);

/* The version of the table changes that the courier's loop acts by. Only the courier sets it. */
int64_t courier_seen_version(const struct courier_slot *slot);
void courier_set_seen_version(struct courier_slot *slot, int64_t version);

/*
 * Since when the job is due, by the steady clock, that waits longest in the courier's memory although its endpoint
 * takes attempts; 0: none waits. Only the courier's loop sets it.
 */
int64_t courier_oldest_due_us(const struct courier_slot *slot);
void courier_set_oldest_due_us(struct courier_slot *slot, int64_t due_us);

/*
 * Why deliveries of all tenants are paused, as a sentence; "": they are not. Only the courier's store thread sets it,
 * that of courier 0. out gets a copy, whole at any time.
 */
void courier_pause(const struct courier_slot *slot, char out[ERROR_TEXT_MAX]);
void courier_set_pause(struct courier_slot *slot, const char *text);

#endif
