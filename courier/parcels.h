/*
 * A courier's side of its lanes JOBS: takes the jobs that publishers hand over into memory, or leaves them in their
 * rows, and releases each parcel at once. The loop's thread alone calls these functions.
 */
#ifndef COURIER_PARCELS_H
#define COURIER_PARCELS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/cancelled.h"
#include "courier/jobs.h"
#include "shm/lane.h"

struct parcels {
	struct lane lanes[PUBLISHERS_MAX]; /* of each publisher, with their arenas */
	uint32_t count;
	struct cancelled cancelled; /* jobs not to take */
	int64_t since_us; /* node_since_us(): older jobs are left in rows, which may be another node's */
	bool damaged; /* a parcel was damaged: scan to find its jobs' rows. The caller clears it */
};

/*
 * Takes parcels, up to a bound, so that the loop's other work does not wait. now_us: steady clock; boot_us:
 * CLOCK_BOOTTIME. Returns whether it took any.
 */
bool parcels_take(struct parcels *parcels, struct jobs *jobs, int64_t now_us, int64_t boot_us);

/* Whether a parcel waits. */
bool parcels_wait(const struct parcels *parcels);

#endif
