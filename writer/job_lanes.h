/*
 * A publisher's side of the lanes to the couriers: what it hands over after a commit. It never waits: jobs that find no
 * room stay in their rows, and their courier is told so.
 */
#ifndef WRITER_JOB_LANES_H
#define WRITER_JOB_LANES_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "event/handover.h"
#include "shm/segment.h"

struct job_lane {
	struct lane lane;
	char *space; /* reserved for the parcel that is being written; NULL: none is */
	size_t room, used;
	uint32_t events;
	bool missed; /* since the last job_lanes_end() */
};

struct job_lanes {
	const struct segment *segment; /* borrowed */
	uint32_t couriers;
	struct job_lane lanes[COURIERS_MAX];
	struct handover_job *jobs; /* room for those of one event and courier */
	uint32_t capacity;
};

/* Maps the lanes of that publisher. Returns 0 or <0. */
int job_lanes_open(struct job_lanes *lanes, const struct segment *segment, uint32_t publisher, struct error *err);
void job_lanes_close(struct job_lanes *lanes);

/*
 * Adds an event with jobs, count > 0, to the parcels of the couriers that deliver them: once for each of these.
 * begun_us: CLOCK_BOOTTIME, before the transaction that has stored them began.
 */
void job_lanes_add(struct job_lanes *lanes, const struct record *event, const struct handover_job *jobs, uint32_t count,
    int64_t begun_us); /* five: what a handover consists of */

/* Publishes the parcels and wakes the couriers that got one or missed something. */
void job_lanes_end(struct job_lanes *lanes);

/* Tells all couriers to look at their rows. */
void job_lanes_missed(struct job_lanes *lanes);

#endif
