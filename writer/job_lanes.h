/*
 * The producer's side of a publisher's lanes to the couriers: hands over jobs after a commit. Never waits: jobs without
 * room stay in their rows, and their courier is notified.
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
	char *space; /* reserved for the current parcel; NULL: none */
	size_t room, used;
	uint32_t events;
	bool missed; /* jobs were left in rows since the last job_lanes_end() */
};

struct job_lanes {
	const struct segment *segment; /* borrowed */
	uint32_t couriers;
	struct job_lane lanes[COURIERS_MAX];
	struct handover_job *jobs; /* buffer for those of one event and courier */
	uint32_t capacity;
};

/* Maps the lanes of that publisher. Returns 0 or <0. */
int job_lanes_open(struct job_lanes *lanes, const struct segment *segment, uint32_t publisher, struct error *err);
void job_lanes_close(struct job_lanes *lanes);

/*
 * Adds an event with its jobs, count > 0, to the parcel of each courier that delivers some of them. begun_us:
 * clock_boot_us() before their transaction began.
 */
void job_lanes_add(struct job_lanes *lanes, const struct record *event, const struct handover_job *jobs, uint32_t count,
    int64_t begun_us); /* five: what a handover consists of */

/* Publishes the parcels and wakes the couriers that got a parcel or missed jobs. */
void job_lanes_end(struct job_lanes *lanes);

/* Notifies all couriers to read their rows. */
void job_lanes_missed(struct job_lanes *lanes);

#endif
