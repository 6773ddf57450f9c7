/* Gathers batches from lanes, and drafts how their parcels are settled. */
#include "writer/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/probes.h"
#include "shm/settle.h"

/*
 * A batch ends with the parcel that reaches one of these limits. They are large enough to hide a commit's fixed cost.
 */
#define BATCH_RECORDS 16384
#define BATCH_BYTES (8u << 20)

int
intake_open(struct intake *intake, const struct segment *segment, enum role role, uint32_t writer, struct error *err)
{
	memset(intake, 0, sizeof *intake);
	intake->segment = segment;
	intake->group = ledger_lanes(role);
	intake->writer = writer;
	intake->slot = segment_writer(segment, role, writer);
	for (uint32_t a = 0; a < segment->counts[ROLE_ACCEPTOR]; a++) {
		intake->lanes[a] = segment_lane(segment, intake->group, a, writer);
		if (segment_map_arena(segment, &intake->lanes[a], err) != 0)
			return -1;
		intake->taken[a] = lane_released(&intake->lanes[a]) + lane_depth(&intake->lanes[a]);
	}
	intake_mark_in_doubt(intake);
	return 0;
}

void
intake_close(struct intake *intake)
{
	free(intake->records);
	free(intake->outcomes);
	free(intake->requests);
	free(intake->parcels);
}

static void
add_record(struct intake *intake, const struct record *record, struct publish_outcome *outcome, uint32_t request)
{
	if (intake->count == intake->capacity) {
		intake->capacity = intake->capacity == 0 ? BATCH_RECORDS : intake->capacity * 2;
		intake->records = mem_resize(intake->records, intake->capacity, sizeof *intake->records);
		if (outcome != NULL) {
			intake->outcomes = mem_resize(intake->outcomes, intake->capacity, sizeof *intake->outcomes);
			intake->requests = mem_resize(intake->requests, intake->capacity, sizeof *intake->requests);
		}
	}
	if (outcome != NULL) {
		intake->outcomes[intake->count] = outcome;
		intake->requests[intake->count] = request;
	}
	intake->records[intake->count++] = record;
}

/* Adds a parcel's records. After a damaged one the rest is left out, because its length cannot be trusted. */
static void
add_parcel(struct intake *intake, const struct parcel *parcel)
{
	size_t before = intake->group == LANES_PUBLISH ? sizeof(struct publish_outcome) : 0, at = before;
	/* Only parcels with records are numbered, so numbers are below the number of records. */
	uint32_t request = before > 0 && intake->count > 0 ? intake->requests[intake->count - 1] + 1 : 0, seen = 0;

	while (at < parcel->length && seen < parcel->events && record_check(parcel->bytes + at, parcel->length - at)) {
		const struct record *record = (const struct record *)(parcel->bytes + at);

		add_record(
		    intake, record, before > 0 ? (struct publish_outcome *)(parcel->bytes + at) - 1 : NULL, request);
		at += record->length + before;
		seen++;
	}
	/* Count the parcel as publishing did, or the books no longer balance. */
	if (seen < parcel->events)
		intake->damaged += parcel->events - seen;
	intake->bytes += parcel->length;
}

/* Adds a parcel of published events, at the lane's position taken[lane]. */
static void
add_published(struct intake *intake, uint32_t lane, const struct parcel *parcel)
{
	struct intake_parcel gathered = {
	    .lane = lane, .position = intake->taken[lane], .flags = parcel->flags, .first = intake->count};

	if (intake->parcel_count == intake->parcel_capacity) {
		intake->parcel_capacity = intake->parcel_capacity == 0 ? 256 : intake->parcel_capacity * 2;
		intake->parcels = mem_resize(intake->parcels, intake->parcel_capacity, sizeof *intake->parcels);
	}
	if ((parcel->flags & (LANE_REFUSED | LANE_FINISHED)) == 0)
		add_parcel(intake, parcel);
	gathered.count = intake->count - gathered.first;
	if ((parcel->flags & (LANE_REFUSED | LANE_FINISHED)) == 0)
		gathered.damaged = parcel->events - gathered.count;
	intake->parcels[intake->parcel_count++] = gathered;
}

static void
begin_batch(struct intake *intake)
{
	intake->count = 0;
	intake->parcel_count = 0;
	intake->damaged = 0;
	intake->bytes = 0;
}

static bool
has_room(const struct intake *intake)
{
	return intake->count < BATCH_RECORDS && intake->bytes < BATCH_BYTES;
}

bool
intake_gather(struct intake *intake)
{
	uint32_t lanes = intake->segment->counts[ROLE_ACCEPTOR];
	bool any = false;

	begin_batch(intake);
	for (uint32_t i = 0; i < lanes; i++) {
		uint32_t a = (intake->first_lane + i) % lanes;
		struct parcel parcel;

		intake->taken[a] = lane_released(&intake->lanes[a]);
		while (has_room(intake) && lane_peek(&intake->lanes[a], intake->taken[a], &parcel)) {
			if (intake->group == LANES_PUBLISH)
				add_published(intake, a, &parcel);
			else if ((parcel.flags & LANE_REFUSED) == 0)
				add_parcel(intake, &parcel);
			intake->taken[a]++;
			any = true;
		}
	}
	intake->first_lane = (intake->first_lane + 1) % lanes;
	if (any)
		PROBE_GATHER(intake->count, intake->bytes);
	return any;
}

/* Adds the parcel at taken[lane], unless one of its events is untried. Returns whether it did. */
static bool
add_tried(struct intake *intake, uint32_t lane, const struct parcel *parcel)
{
	const uint32_t first = intake->count, damaged = intake->damaged;

	add_published(intake, lane, parcel);
	for (uint32_t i = first; i < intake->count; i++)
		if (intake->outcomes[i]->result == 0 && intake->outcomes[i]->waits == 0) {
			intake->count = first;
			intake->damaged = damaged;
			intake->parcel_count--;
			return false;
		}
	return true;
}

bool
intake_gather_waiting(struct intake *intake)
{
	begin_batch(intake);
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++) {
		struct parcel parcel;

		intake->taken[a] = lane_released(&intake->lanes[a]);
		while (has_room(intake) && lane_peek(&intake->lanes[a], intake->taken[a], &parcel) &&
		       add_tried(intake, a, &parcel))
			intake->taken[a]++;
	}
	return intake->count > 0;
}

/* ---- outcomes of published events ---- */

static void
count_outcome(struct ledger_page *draft, const struct publish_outcome *outcome)
{
	switch ((enum publish_result)outcome->result) {
	case PUBLISH_STORED:
		draft->counters[outcome->fresh != 0 ? COUNTER_STORED : COUNTER_DUPLICATES]++;
		break;
	case PUBLISH_KNOWN:
		draft->counters[COUNTER_DUPLICATES]++;
		break;
	case PUBLISH_DEAD:
		draft->counters[COUNTER_DEAD_LETTERED]++;
		break;
	default:
		draft->counters[COUNTER_DISCARDED]++;
		break;
	}
}

/* Counts the outcomes of a finished parcel. It has passed record_check(), so its lengths are valid. */
static void
count_finished(const struct parcel *parcel, struct ledger_page *draft)
{
	size_t at = 0;

	for (uint32_t i = 0; i < parcel->events && at < parcel->length; i++) {
		const struct publish_outcome *outcome = (const void *)(parcel->bytes + at);

		count_outcome(draft, outcome);
		at += sizeof *outcome + ((const struct record *)(const void *)(outcome + 1))->length;
	}
}

/* Counts the outcomes of a complete parcel. */
static void
count_outcomes(const struct intake *intake, const struct intake_parcel *gathered, struct ledger_page *draft)
{
	struct parcel parcel;

	for (uint32_t i = 0; i < gathered->count; i++)
		count_outcome(draft, intake->outcomes[gathered->first + i]);
	if ((gathered->flags & LANE_FINISHED) == 0)
		return;
	lane_reread(&intake->lanes[gathered->lane], gathered->position + 1, &parcel);
	count_finished(&parcel, draft);
}

/* The number of the parcel's events with an outcome. Sets intake->waits if others wait. */
static uint32_t
events_done(struct intake *intake, const struct intake_parcel *gathered)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < gathered->count; i++) {
		const struct publish_outcome *outcome = intake->outcomes[gathered->first + i];

		done += outcome->result != 0;
		intake->waits = intake->waits || (outcome->result == 0 && outcome->waits != 0);
	}
	return done;
}

/* Marks an unreleased parcel as finished, if all its events are done, so that its client is answered. */
static void
mark_published(const struct intake *intake, const struct intake_parcel *gathered, uint32_t done)
{
	struct wake acceptor = segment_wake(intake->segment, ROLE_ACCEPTOR, gathered->lane);
	const struct lane *lane = &intake->lanes[gathered->lane];

	bool finished = done == gathered->count && gathered->damaged == 0;

	if (done == 0)
		return;
	lane_mark(lane, gathered->position, finished ? LANE_FINISHED : LANE_IN_DOUBT);
	if (finished)
		wake_up(&acceptor);
}

/* Drafts the release of completed parcels at the head of each lane, and keeps the others. */
static void
release_done(struct intake *intake, struct ledger_page *draft)
{
	bool kept[ACCEPTORS_MAX] = {false};

	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		intake->taken[a] = lane_released(&intake->lanes[a]);
	intake->damaged = 0;
	intake->waits = false;
	for (uint32_t i = 0; i < intake->parcel_count; i++) {
		const struct intake_parcel *gathered = &intake->parcels[i];
		uint32_t done = events_done(intake, gathered);

		kept[gathered->lane] = kept[gathered->lane] || done < gathered->count;
		if (kept[gathered->lane]) {
			mark_published(intake, gathered, done);
			continue;
		}
		intake->taken[gathered->lane] = gathered->position + 1;
		intake->damaged += gathered->damaged;
		count_outcomes(intake, gathered, draft);
	}
}

void
intake_draft_release(struct intake *intake, struct ledger_page *draft, enum settlement settled_as)
{
	if (settled_as == SETTLED_STORED && intake->group == LANES_PUBLISH)
		release_done(intake, draft);
	for (uint32_t i = 0; i < intake->parcel_count && settled_as == SETTLED_SPOOLED; i++)
		if ((intake->parcels[i].flags & LANE_FINISHED) != 0)
			count_outcomes(intake, &intake->parcels[i], draft);
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		draft->release[a] = intake->taken[a];
	draft->settled_as = settled_as;
	draft->counters[COUNTER_DAMAGED] += intake->damaged;
	if (intake->damaged > 0)
		log_error("damaged records on the ring: skipped", LOG_UINT("records", intake->damaged));
}

void
intake_mark_in_doubt(const struct intake *intake)
{
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		lane_set_flag(&intake->lanes[a], intake->taken[a], LANE_IN_DOUBT, true);
}

/* Numbers of events. */
struct refusals {
	uint64_t refused, dismissed;
};

/*
 * Counts the events to refuse on one lane, below that position. Counts a finished parcel's outcomes if it will be
 * released now: only refused ones precede it.
 */
static void
draft_refusals(const struct lane *lane, uint32_t end, struct ledger_page *draft, struct refusals *refusals)
{
	struct parcel parcel;
	bool leaves = true;

	for (uint32_t at = lane_released(lane); at != end && lane_peek(lane, at, &parcel); at++) {
		bool waits = lane_client_waits(parcel.flags), in_doubt = (parcel.flags & LANE_IN_DOUBT) != 0;

		if (waits)
			*(in_doubt ? &refusals->dismissed : &refusals->refused) += parcel.events;
		leaves = leaves && ((parcel.flags & (LANE_REFUSED | LANE_FINISHED)) != 0 || (waits && !in_doubt));
		if (leaves && (parcel.flags & LANE_FINISHED) != 0)
			count_finished(&parcel, draft);
	}
}

uint64_t
intake_draft_refusals(const struct intake *intake, struct ledger_page *draft, bool all)
{
	struct refusals refusals = {0};

	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++) {
		const struct lane *lane = &intake->lanes[a];

		draft->release[a] = all ? lane_released(lane) + lane_depth(lane) : intake->taken[a];
		draft_refusals(lane, draft->release[a], draft, &refusals);
	}
	draft->settled_as = SETTLED_REFUSED;
	draft->counters[COUNTER_DISCARDED] += refusals.refused;
	return refusals.refused + refusals.dismissed;
}

bool
intake_pending(const struct intake *intake)
{
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		if (lane_depth(&intake->lanes[a]) > 0)
			return true;
	return false;
}
