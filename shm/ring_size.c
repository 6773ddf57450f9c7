/* The least size of the ring file, from the tables of roles and lanes. */
#include "shm/ring_size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sizes.h"
#include "config/config.h"
#include "shm/roles.h"

/* What a record has beside its event's own text: head, fixed fields, padding (event/record.h). */
#define RECORD_OVERHEAD 128

/* What the segment holds besides the lanes' arenas. */
#define BESIDE_LANES MIB
#define KEY_TABLE_ROOM (32 * MIB)

/* "8 lanes (4 acceptors x 2 writers)" */
static void
print_lanes(const uint32_t counts[ROLES], char *out, size_t size)
{
	(void)snprintf(out, size, "%" PRIu64 " lanes (", role_lanes(counts));
	for (int g = 0; g < LANE_GROUPS; g++) {
		enum role from = lane_group_table[g].from, to = lane_group_table[g].to;
		size_t used = strlen(out);

		(void)snprintf(out + used, size - used, "%s%" PRIu32 " %s x %" PRIu32 " %s%s", g > 0 ? ", " : "",
		    counts[from], role_table[from].plural, counts[to], role_table[to].plural,
		    g + 1 == LANE_GROUPS ? ")" : "");
	}
}

struct ring_need
ring_need(const struct config *config)
{
	uint64_t lane = config->max_body_bytes + (uint64_t)config->max_batch_events * RECORD_OVERHEAD + 64 * KIB;
	uint32_t counts[ROLES];
	struct ring_need need;

	role_counts(config, counts);
	need.bytes = role_lanes(counts) * lane + BESIDE_LANES;
	if (config_api_is_on(config))
		need.bytes += KEY_TABLE_ROOM;
	print_lanes(counts, need.lanes, sizeof need.lanes);
	return need;
}
