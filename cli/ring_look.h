/* Describes a ring's lanes and ledgers, from a copy of the segment (shm/segment_image.h). */
#ifndef CLI_RING_LOOK_H
#define CLI_RING_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/metrics.h"
#include "shm/segment.h"

#define RING_NAME_BYTES 32
#define RING_COUNTER_BYTES 192

/*
 * States of a parcel that waits in a lane, by its flags (shm/lane_flags.h); the first that fits counts. ACKNOWLEDGED:
 * no client waits for it.
 */
#define PARCEL_STATE_LIST(X)                                                                                           \
	X(FINISHED, "finished")                                                                                        \
	X(REFUSED, "refused")                                                                                          \
	X(DISMISSED, "dismissed")                                                                                      \
	X(IN_DOUBT, "in_doubt")                                                                                        \
	X(AWAITED, "awaited")                                                                                          \
	X(ACKNOWLEDGED, "acknowledged")

#define X(symbol, name) PARCEL_##symbol,
enum parcel_state { PARCEL_STATE_LIST(X) PARCEL_STATES };
#undef X

extern const char *const parcel_state_names[PARCEL_STATES];

struct ring_lane {
	char from[RING_NAME_BYTES], to[RING_NAME_BYTES]; /* "acceptor-0" */
	bool whole; /* false: the lane is damaged or was copied while in use; then only its names and sizes are set */
	uint32_t slots, published, released; /* positions: see shm/lane.h */
	uint32_t parcels[PARCEL_STATES]; /* waiting ones, by state */
	uint64_t events; /* in the waiting parcels */
	uint64_t events_ever; /* published */
	uint64_t bytes, arena_bytes; /* used bytes, and all */
	bool has_oldest; /* the time of a waiting record is known */
	int64_t oldest_us; /* when the oldest one was received, since 1970 by the wall clock */
};

/* Sets *lane from the lane with that number among all. */
void ring_lane_look(const struct segment *segment, uint32_t number, struct ring_lane *lane);

/* Whether all lanes are whole, and each ledger has a current page. */
bool ring_is_whole(const struct segment *segment);

/* The length of the header's boot id, which ends in a newline. */
size_t ring_boot_id_length(const struct segment_header *header);

/* "writer-1" */
void ring_process_name(enum role role, uint32_t index, char out[RING_NAME_BYTES]);

/* Returns the name of the metric of a ledger's counter; writers and publishers have different ones. */
const char *ring_ledger_counter(enum role role, uint32_t counter);

/* Names of enum settlement, enum append_state and enum append_file; "unknown" for any other number. */
const char *ring_settlement_name(uint32_t settled_as);
const char *ring_append_state_name(uint32_t state);
const char *ring_append_file_name(uint32_t file);

/* Calls take(context, ...) for each counter of the segment. A counter's name is that of its series in Prometheus. */
void ring_counters(const struct segment *segment, metrics_take *take, void *context);
void ring_counter_name(const struct metrics_sample *sample, char out[RING_COUNTER_BYTES]);

#endif
