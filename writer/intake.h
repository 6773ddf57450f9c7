/*
 * A writer's side of its lanes: gathers a batch of records from all of them without giving the parcels up, and
 * releases exactly that batch when it is stored, or refuses what clients wait for in vain.
 */
#ifndef WRITER_INTAKE_H
#define WRITER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "event/record.h"
#include "shm/segment.h"

struct intake {
	const struct segment *segment;
	uint32_t writer;
	struct writer_slot *slot;
	struct lane lanes[ACCEPTORS_MAX];
	uint32_t taken[ACCEPTORS_MAX]; /* per acceptor: the position after the last parcel in the batch */
	uint32_t first_lane; /* who is served first next time */

	/* The batch. */
	const struct record **records; /* pointers into the lanes */
	uint32_t count, capacity;
	uint32_t damaged; /* records left out */
	size_t bytes;
};

/*
 * Maps the writer's lanes. The ledger is settled already. What waits is in doubt: a predecessor may have died over it.
 * Returns 0 or <0.
 */
int intake_open(struct intake *intake, const struct segment *segment, uint32_t writer, struct error *err);

/* Releases what the intake holds in this process; the lanes stay as they are. */
void intake_close(struct intake *intake);

/*
 * Fills the batch with what is published and not refused, up to a bound; whole parcels only. Damaged records are counted
 * and left out.
 * Returns whether anything, records or not, was taken. Until the batch is released it gathers the same again.
 */
bool intake_gather(struct intake *intake);

/* Notes in the draft what the batch, stored or spooled, releases; settle_lanes() does it when that is committed. */
void intake_settle(const struct intake *intake, struct ledger_page *draft, enum fate fate);

/* The batch could not be stored, or not be spooled, but it, or a part of it, may have been. */
void intake_doubt(const struct intake *intake);

/*
 * Notes in the draft that no client waits any longer, and counts the events that are refused as discarded: those that are
 * in doubt are not, but wait on. settle_lanes() does it when that is committed, and releases what is refused and has
 * nothing else before it. Returns the number of events whose clients have waited in vain.
 */
uint64_t intake_refuse(const struct intake *intake, struct ledger_page *draft);

/* Whether a parcel waits that is not released. */
bool intake_pending(const struct intake *intake);

#endif
