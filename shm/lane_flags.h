/* The flags of a parcel (shm/lane.h), between a lane's producer and its consumer. */
#ifndef SHM_LANE_FLAGS_H
#define SHM_LANE_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The producer sets AWAITED when it publishes; a master that adopts the segment sets FORMER_BOOT; the consumer sets and
 * clears all others.
 *
 * AWAITED      a client waits for the answer: the parcel is not acknowledged yet
 * SPOOLED      its records went to the spool instead of the store; valid once the parcel is released
 * IN_DOUBT     its records, or some of them, may be in a store that failed before it could answer
 * REFUSED      its records are discarded and its client gets an error; the parcel may be released much later
 * DISMISSED    its client gets an error, but its records will be stored, because they were in doubt
 * FINISHED     the outcome of each of its records is in the parcel, by which its client is answered. The parcel may be
 *              released much later; until then the consumer skips it
 * FORMER_BOOT  an outcome of an attempt from before a restart of the machine: its times by CLOCK_BOOTTIME say nothing
 */
#define LANE_AWAITED 1u
#define LANE_SPOOLED 2u
#define LANE_IN_DOUBT 4u
#define LANE_REFUSED 8u
#define LANE_DISMISSED 16u
#define LANE_FINISHED 32u
#define LANE_FORMER_BOOT 64u
#define LANE_FLAGS 127u

/* Whether a client of a parcel with those flags still waits: lane_refuse() would refuse or dismiss it. */
static inline bool
lane_client_waits(uint32_t flags)
{
	return (flags & (LANE_AWAITED | LANE_REFUSED | LANE_DISMISSED | LANE_FINISHED)) == LANE_AWAITED;
}

#endif
