/*
 * A writer's side of its lanes: gathers a batch of records from all of them without giving the parcels up, and
 * releases exactly that batch when it is stored.
 */
#ifndef WRITER_INTAKE_H
#define WRITER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/record.h"
#include "shm/segment.h"

struct intake {
	const struct segment *segment;
	uint32_t writer;
	struct process_slot *slot;
	struct lane lanes[ACCEPTORS_MAX];
	uint32_t taken[ACCEPTORS_MAX]; /* per acceptor: the position after the last parcel in the batch */
	uint32_t first_lane; /* who is served first next time */

	/* The batch. */
	const struct record **records; /* pointers into the lanes */
	uint32_t count, capacity;
	uint32_t damaged; /* records left out */
	size_t bytes;
};

/* Maps the writer's lanes. The ledger is settled already. Returns 0 or <0. */
int intake_open(struct intake *intake, const struct segment *segment, uint32_t writer, struct error *err);

/* Releases what the intake holds in this process; the lanes stay as they are. */
void intake_close(struct intake *intake);

/*
 * Fills the batch with what is published, up to a bound; whole parcels only. Damaged records are counted and left out.
 * Returns whether anything, records or not, was taken. Until the batch is released it gathers the same again.
 */
bool intake_gather(struct intake *intake);

/* Notes in the draft what the batch, stored or spooled, releases; ledger_settle() does it when that is committed. */
void intake_settle(const struct intake *intake, struct ledger_page *draft, bool spooled);

/* Whether a parcel waits that is not released. */
bool intake_pending(const struct intake *intake);

#endif
