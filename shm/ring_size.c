/* The least size of the ring file, from the tables of roles and lanes. */
#include "shm/ring_size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sizes.h"
#include "config/config.h"
#include "shm/roles.h"

/* The bytes of a record besides the event's text: head, fixed fields, padding (event/record.h). */
#define RECORD_OVERHEAD 128

/* The bytes of the segment besides the arenas. */
#define BESIDE_LANES MIB
#define KEY_TABLE_ROOM (32 * MIB)

/* Prints the lanes in RING_BYTES: "8 lanes (4 acceptors x 2 writers)". Returns their number. */
static uint64_t
print_lanes(const uint32_t counts[ROLES], char *out, size_t size)
{
	char groups[96] = "";
	uint64_t lanes = 0;

	for (int g = 0; g < LANE_GROUPS; g++) {
		enum role from = lane_group_table[g].from, to = lane_group_table[g].to;
		size_t used = strlen(groups);

		if (lane_group_table[g].parts > 0)
			continue;
		(void)snprintf(groups + used, sizeof groups - used, "%s%" PRIu32 " %s x %" PRIu32 " %s",
		    used > 0 ? ", " : "", counts[from], role_table[from].plural, counts[to], role_table[to].plural);
		lanes += role_lanes_of(counts, g);
	}
	(void)snprintf(out, size, "%" PRIu64 " lanes (%s)", lanes, groups);
	return lanes;
}

/* The least HL_RING_BYTES that gives each lane of the group lane_bytes. */
static uint64_t
need_of_group(const uint32_t counts[ROLES], enum lane_group group, uint64_t lane_bytes)
{
	uint64_t lanes = role_lanes_of(counts, group);

	return (lanes * lane_bytes + lane_group_table[group].parts - 1) / lane_group_table[group].parts * 4;
}

struct ring_need
ring_need(const struct config *config)
{
	const uint64_t lane = config->max_body_bytes + (uint64_t)config->max_batch_events * RECORD_OVERHEAD + 64 * KIB;
	const uint64_t least[LANE_GROUPS] = {
	    [LANES_PUBLISH] = lane,
	    [LANES_JOBS] = 2 * config->hl_max_payload_bytes + MIB,
	    [LANES_OUTCOMES] = MIB,
	};
	uint32_t counts[ROLES];
	struct ring_need need = {0};

	role_counts(config, counts);
	need.bytes = print_lanes(counts, need.lanes, sizeof need.lanes) * lane + BESIDE_LANES;
	if (config_api_is_on(config))
		need.bytes += KEY_TABLE_ROOM;
	for (int g = 0; g < LANE_GROUPS; g++)
		if (lane_group_table[g].parts > 0) {
			uint64_t bytes = need_of_group(counts, g, least[g]);

			need.hl_bytes = bytes > need.hl_bytes ? bytes : need.hl_bytes;
		}
	return need;
}
