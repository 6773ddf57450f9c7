/*
 * The file may be damaged, and its positions and flags may be any numbers: the lane's slots limit a loop over
 * parcels.
 */
#include "cli/ring_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/segment_image.h"
#include "shm/settle.h"

#define X(symbol, name) name,
const char *const parcel_state_names[PARCEL_STATES] = {PARCEL_STATE_LIST(X)};
#undef X

static enum parcel_state
state_of(uint32_t flags)
{
	static const uint32_t flag_of[PARCEL_STATES] = {
	    [PARCEL_FINISHED] = LANE_FINISHED,
	    [PARCEL_REFUSED] = LANE_REFUSED,
	    [PARCEL_DISMISSED] = LANE_DISMISSED,
	    [PARCEL_IN_DOUBT] = LANE_IN_DOUBT,
	    [PARCEL_AWAITED] = LANE_AWAITED,
	};
	enum parcel_state state = 0;

	while (state < PARCEL_ACKNOWLEDGED && (flags & flag_of[state]) == 0)
		state++;
	return state;
}

void
ring_process_name(enum role role, uint32_t index, char out[RING_NAME_BYTES])
{
	(void)snprintf(out, RING_NAME_BYTES, "%s-%" PRIu32, role_table[role].name, index);
}

size_t
ring_boot_id_length(const struct segment_header *header)
{
	const char *end = memchr(header->boot_id, '\n', sizeof header->boot_id);

	return end != NULL ? (size_t)(end - header->boot_id) : sizeof header->boot_id;
}

/* Sets the names of the lane's two processes. */
static void
name_ends(const struct segment *segment, uint32_t number, struct ring_lane *lane)
{
	const enum lane_group group = segment_lane_group(segment->header, number);
	const struct lane_group_info *info = &lane_group_table[group];
	uint32_t in_group = number;

	for (int g = 0; g < (int)group; g++)
		in_group -= (uint32_t)role_lanes_of(segment->counts, g);
	if (info->from == info->to) {
		ring_process_name(info->from, in_group, lane->from);
		ring_process_name(info->to, in_group, lane->to);
	} else {
		ring_process_name(info->from, in_group / segment->counts[info->to], lane->from);
		ring_process_name(info->to, in_group % segment->counts[info->to], lane->to);
	}
}

/* Counts the parcels that wait. view is a lane whose arena is never read: its address may be any. */
static void
count_parcels(const struct segment *segment, uint32_t number, const struct lane *view, struct ring_lane *lane)
{
	struct parcel parcel;

	for (uint32_t i = 0, at = lane->released; i < lane->slots && lane_peek(view, at, &parcel); i++, at++) {
		const enum parcel_state state = state_of(parcel.flags);

		lane->parcels[state]++;
		lane->events += parcel.events;
		if (!lane->has_oldest && state != PARCEL_FINISHED && state != PARCEL_REFUSED)
			lane->has_oldest = segment_image_received_us(
			    segment, number, (uint64_t)(parcel.bytes - view->arena), &lane->oldest_us);
	}
}

void
ring_lane_look(const struct segment *segment, uint32_t number, struct ring_lane *lane)
{
	struct lane view = segment_lane_at(segment, number);

	memset(lane, 0, sizeof *lane);
	name_ends(segment, number, lane);
	lane->slots = segment->header->lane_slots;
	lane->arena_bytes = view.arena_bytes;
	lane->whole = lane_valid(&view, lane->slots);
	if (!lane->whole)
		return;
	view.arena = (char *)segment->header;
	lane->released = lane_released(&view);
	lane->published = lane->released + lane_depth(&view);
	lane->events_ever = lane_events(&view);
	lane->bytes = lane_bytes_used(&view);
	count_parcels(segment, number, &view, lane);
}

bool
ring_is_whole(const struct segment *segment)
{
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane view = segment_lane_at(segment, n);

		if (!lane_valid(&view, segment->header->lane_slots))
			return false;
	}
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			if (segment_writer(segment, ledger_roles[r], i)->ledger.current > 1)
				return false;
	return true;
}

const char *
ring_ledger_counter(enum role role, uint32_t counter)
{
	bool messages = lane_group_table[ledger_lanes(role)].books == BOOKS_MESSAGES;

	return family_table[counter_table[counter + (messages ? COUNTER_MESSAGES_RECEIVED : 0)].family].name;
}

const char *
ring_settlement_name(uint32_t settled_as)
{
	static const char *const names[] = {
	    [SETTLED_STORED] = "stored", [SETTLED_SPOOLED] = "spooled", [SETTLED_REFUSED] = "refused"};

	return settled_as < sizeof names / sizeof *names ? names[settled_as] : "unknown";
}

const char *
ring_append_state_name(uint32_t state)
{
	static const char *const names[] = {
	    [APPEND_NONE] = "none", [APPEND_BEGUN] = "begun", [APPEND_BROKEN] = "broken"};

	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *
ring_append_file_name(uint32_t file)
{
	static const char *const names[APPEND_FILES] = {[APPEND_JSONL] = "jsonl", [APPEND_SPOOL] = "spool"};

	return file < APPEND_FILES ? names[file] : "unknown";
}

void
ring_counters(const struct segment *segment, metrics_take *take, void *context)
{
	for (int f = 0; f < FAMILIES; f++)
		if (family_table[f].kind == KIND_COUNTER)
			metrics_each(segment, f, take, context);
}

void
ring_counter_name(const struct metrics_sample *sample, char out[RING_COUNTER_BYTES])
{
	const struct family_info *info = &family_table[sample->family];
	bool labelled = sample->labels[0] != '\0';

	(void)snprintf(out, RING_COUNTER_BYTES, "%s%s%s%s%s%s", info->prefix, info->name, sample->suffix,
	    labelled ? "{" : "", sample->labels, labelled ? "}" : "");
}
