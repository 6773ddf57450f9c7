/*
 * The consumer's side of a writer's or publisher's lanes. Gathers a batch of records from all lanes without releasing
 * the parcels, and writes into the ledger's draft which parcels to release or refuse. settle_lanes() does that once the
 * draft is committed.
 */
#ifndef WRITER_INTAKE_H
#define WRITER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "event/record.h"
#include "shm/segment.h"

/* A parcel of the batch. */
struct intake_parcel {
	uint32_t lane, position;
	uint32_t flags; /* flags when it was gathered */
	uint32_t first, count; /* its records in the batch; none if it was finished or refused */
	uint32_t damaged; /* records left out */
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
	struct publish_outcome **outcomes; /* of each record; NULL for hook events, like the next two */
	uint32_t *requests; /* of each record: its parcel's number among those with records */
	struct intake_parcel *parcels;
	uint32_t parcel_count, parcel_capacity;
	uint32_t count, capacity;
	uint32_t damaged; /* records left out */
	size_t bytes;
	bool waits; /* published events: by the last release, another session blocks some */
};

/*
 * Maps the writer's lanes, which are already settled (shm/settle.h). Marks waiting parcels as in doubt, because a
 * predecessor may have died while storing them. Returns 0 or <0.
 */
int intake_open(
    struct intake *intake, const struct segment *segment, enum role role, uint32_t writer, struct error *err);

/* Frees the intake's memory; the lanes are unchanged. */
void intake_close(struct intake *intake);

/*
 * Fills the batch, up to a limit, with whole parcels that are neither refused nor finished. Counts damaged records and
 * leaves them out. Returns whether it took any parcel, even without records. Gathers the same parcels again until the
 * lanes are released.
 */
bool intake_gather(struct intake *intake);

/*
 * After a batch of published events was stored in part: fills the batch with the parcels at each lane's head that wait
 * for another session, up to the first parcel with an untried event. Spooling or refusing these frees the lane. Returns
 * whether there are any.
 */
bool intake_gather_waiting(struct intake *intake);

/*
 * Writes into the draft that the batch is stored or spooled (SETTLED_STORED, SETTLED_SPOOLED) and its parcels are
 * released. For published events SETTLED_STORED applies only to those with an outcome, and counts the outcomes. A lane
 * is released up to the first parcel with an event without outcome; later complete parcels are marked finished, so that
 * their clients are answered.
 */
void intake_draft_release(struct intake *intake, struct ledger_page *draft, enum settlement settled_as);

/* Marks the batch's parcels as in doubt: storing failed, but some or all records may have been stored. */
void intake_mark_in_doubt(const struct intake *intake);

/*
 * Writes into the draft that waiting clients are refused: of all parcels on the lanes, or of those in the batch. Counts
 * refused events as discarded; events in doubt stay on the ring. Returns the number of events whose clients are refused
 * or dismissed. Once it is committed, settle_lanes() releases refused and finished parcels at the lanes' heads; the
 * draft counts the outcomes of those finished ones.
 */
uint64_t intake_draft_refusals(const struct intake *intake, struct ledger_page *draft, bool all);

/* Whether any parcel is unreleased. */
bool intake_pending(const struct intake *intake);

#endif
