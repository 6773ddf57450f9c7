/*
 * A writer's side of its lanes, or a publisher's: gathers a batch of records from all of them without releasing the
 * parcels, and says in the ledger's draft what to release or refuse; settle_lanes() does that once the draft is
 * committed.
 */
#ifndef WRITER_INTAKE_H
#define WRITER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "event/record.h"
#include "shm/segment.h"

/* A parcel that the batch has come to. */
struct intake_parcel {
	uint32_t lane, position;
	uint32_t flags; /* when it was gathered */
	uint32_t first, count; /* its records in the batch; of one that was finished or refused none */
	uint32_t damaged; /* records that are left out */
};

struct intake {
	const struct segment *segment;
	enum lane_group group; /* LANES_EVENTS or LANES_PUBLISH */
	uint32_t writer;
	struct writer_slot *slot;
	struct lane lanes[ACCEPTORS_MAX];
	uint32_t taken[ACCEPTORS_MAX]; /* per acceptor: the position after the last parcel in the batch */
	uint32_t first_lane; /* gathered from first the next time */

	/* The batch. */
	const struct record **records; /* pointers into the lanes */
	struct publish_outcome **outcomes; /* of each record; NULL where the group has none, like the next two */
	uint32_t *requests; /* of each record: the number of its parcel among those that have records */
	struct intake_parcel *parcels;
	uint32_t parcel_count, parcel_capacity;
	uint32_t count, capacity;
	uint32_t damaged; /* records that are left out */
	size_t bytes;
	bool waits; /* of published events: another session is in the way of some, as the last release has found */
};

/*
 * Maps the writer's lanes, which are settled already (shm/settle.h). Marks what waits as in doubt: a predecessor may
 * have died while it stored that. Returns 0 or <0.
 */
int intake_open(
    struct intake *intake, const struct segment *segment, enum role role, uint32_t writer, struct error *err);

/* Releases what the intake holds in this process; the lanes stay as they are. */
void intake_close(struct intake *intake);

/*
 * Fills the batch with whole parcels that are published and neither refused nor finished, up to a bound. Leaves
 * damaged records out and counts them. Returns whether it took any parcel, with records or without. Gathers the same
 * again until the lanes are released.
 */
bool intake_gather(struct intake *intake);

/*
 * After such a batch of published events was stored in part: fills the batch anew, with the parcels at the head of each
 * lane that wait for another session, up to the first one with an event that the sink has not come to. Returns whether
 * there are any. Spooled or refused, they give their space back.
 */
bool intake_gather_waiting(struct intake *intake);

/*
 * Writes into the draft that the batch is stored or spooled, FATE_STORED or FATE_SPOOLED, and its parcels released. Of
 * published events FATE_STORED is about those that have an outcome, which the draft counts also: a lane is released up
 * to the first parcel with an event that has none, and parcels behind that are marked as finished, which has their
 * clients answered.
 */
void intake_draft_release(struct intake *intake, struct ledger_page *draft, enum fate fate);

/* Marks the batch: it could not be stored or spooled, but some of it, or all, may have been. */
void intake_mark_in_doubt(const struct intake *intake);

/*
 * Writes into the draft that no client waits any longer, of all parcels on the lanes or of those in the batch. Counts
 * the refused events as discarded, but not those that are in doubt: these wait on. Returns the number of events whose
 * clients have waited in vain. Once that is committed, settle_lanes() releases refused and finished parcels that have
 * no others before them; what became of the events of these finished ones is counted also.
 */
uint64_t intake_draft_refusals(const struct intake *intake, struct ledger_page *draft, bool all);

/* Whether a parcel waits that is not released. */
bool intake_pending(const struct intake *intake);

#endif
