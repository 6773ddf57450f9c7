/* The least size of the ring file. */
#include "shm/ring_size.h"

#include "base/sizes.h"
#include "config/config.h"
#include "shm/roles.h"

/* What a record has beside its event's own text: head, fixed fields, padding (event/record.h). */
#define RECORD_OVERHEAD 128

/* What the segment holds besides the lanes' arenas. */
#define BESIDE_LANES MIB

uint64_t
ring_bytes_least(const struct config *config)
{
	uint64_t lane = config->max_body_bytes + (uint64_t)config->max_batch_events * RECORD_OVERHEAD + 64 * KIB;

	uint32_t counts[ROLES];

	role_counts(config, counts);
	return role_lanes(counts) * lane + BESIDE_LANES;
}
