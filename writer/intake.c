/* Gathering batches from lanes, and what becomes of their parcels. */
#include "writer/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "shm/settle.h"

/* A batch ends with the parcel that reaches one of these. They are large enough to hide a commit's fixed cost. */
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
}

static void
add_record(struct intake *intake, const struct record *record, struct publish_outcome *outcome)
{
	if (intake->count == intake->capacity) {
		intake->capacity = intake->capacity == 0 ? BATCH_RECORDS : intake->capacity * 2;
		intake->records = mem_resize(intake->records, intake->capacity, sizeof *intake->records);
		if (outcome != NULL)
			intake->outcomes = mem_resize(intake->outcomes, intake->capacity, sizeof *intake->outcomes);
	}
	if (outcome != NULL)
		intake->outcomes[intake->count] = outcome;
	intake->records[intake->count++] = record;
}

/* A damaged record's length is not to be trusted, so the rest of its parcel is left out. */
static void
add_parcel(struct intake *intake, const struct parcel *parcel)
{
	size_t before = intake->group == LANES_PUBLISH ? sizeof(struct publish_outcome) : 0, at = before;
	uint32_t seen = 0;

	while (at < parcel->length && seen < parcel->events && record_check(parcel->bytes + at, parcel->length - at)) {
		const struct record *record = (const struct record *)(parcel->bytes + at);

		add_record(intake, record, before > 0 ? (struct publish_outcome *)(parcel->bytes + at) - 1 : NULL);
		at += record->length + before;
		seen++;
	}
	/* Count the parcel as publishing did, or the books no longer balance. */
	if (seen < parcel->events)
		intake->damaged += parcel->events - seen;
	intake->bytes += parcel->length;
}

bool
intake_gather(struct intake *intake)
{
	uint32_t lanes = intake->segment->counts[ROLE_ACCEPTOR];
	bool any = false;

	intake->count = 0;
	intake->damaged = 0;
	intake->bytes = 0;
	for (uint32_t i = 0; i < lanes; i++) {
		uint32_t a = (intake->first_lane + i) % lanes;
		struct parcel parcel;

		intake->taken[a] = lane_released(&intake->lanes[a]);
		while (intake->count < BATCH_RECORDS && intake->bytes < BATCH_BYTES &&
		       lane_peek(&intake->lanes[a], intake->taken[a], &parcel)) {
			if ((parcel.flags & LANE_REFUSED) == 0)
				add_parcel(intake, &parcel);
			intake->taken[a]++;
			any = true;
		}
	}
	intake->first_lane = (intake->first_lane + 1) % lanes;
	return any;
}

void
intake_draft_release(const struct intake *intake, struct ledger_page *draft, enum fate fate)
{
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		draft->release[a] = intake->taken[a];
	draft->fate = fate;
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

uint64_t
intake_draft_refusals(const struct intake *intake, struct ledger_page *draft)
{
	uint64_t refused = 0, dismissed = 0;

	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++) {
		uint32_t at = lane_released(&intake->lanes[a]);
		struct parcel parcel;

		for (; lane_peek(&intake->lanes[a], at, &parcel); at++)
			if (lane_client_waits(parcel.flags))
				*((parcel.flags & LANE_IN_DOUBT) == 0 ? &refused : &dismissed) += parcel.events;
		draft->release[a] = at;
	}
	draft->fate = FATE_REFUSED;
	draft->counters[COUNTER_DISCARDED] += refused;
	return refused + dismissed;
}

bool
intake_pending(const struct intake *intake)
{
	for (uint32_t a = 0; a < intake->segment->counts[ROLE_ACCEPTOR]; a++)
		if (lane_depth(&intake->lanes[a]) > 0)
			return true;
	return false;
}
