/* Parcels are written directly into the lane. A full one is published and another begun. */
#include "writer/job_lanes.h"

#include <stdlib.h>

#include "base/mem.h"

int
job_lanes_open(struct job_lanes *lanes, const struct segment *segment, uint32_t publisher, struct error *err)
{
	*lanes = (struct job_lanes){.segment = segment, .couriers = segment->counts[ROLE_COURIER]};
	for (uint32_t c = 0; c < lanes->couriers; c++) {
		lanes->lanes[c].lane = segment_lane(segment, LANES_JOBS, publisher, c);
		if (segment_map_arena(segment, &lanes->lanes[c].lane, err) != 0)
			return -1;
	}
	return 0;
}

void
job_lanes_close(struct job_lanes *lanes)
{
	free(lanes->jobs);
}

static void
publish(struct job_lane *lane)
{
	if (lane->used > 0)
		(void)lane_publish(&lane->lane, lane->used, lane->events, 0);
	lane->space = NULL;
	lane->used = 0;
	lane->events = 0;
}

/* Reserves that many bytes, or returns NULL. */
static char *
reserve(struct job_lane *lane, size_t bytes)
{
	if (lane->space != NULL && lane->room - lane->used < bytes)
		publish(lane);
	if (lane->space == NULL)
		lane->space = lane_reserve(&lane->lane, &lane->room);
	return lane->space != NULL && lane->room - lane->used >= bytes ? lane->space + lane->used : NULL;
}

static void
add(struct job_lane *lane, const struct record *event, const struct handover_job *jobs, uint32_t count,
    int64_t begun_us)
{
	size_t bytes = handover_bytes(event, count);
	char *space = reserve(lane, bytes);

	if (space == NULL) {
		lane->missed = true;
		return;
	}
	handover_write(space, event, jobs, count, begun_us);
	lane->used += bytes;
	lane->events++;
}

void
job_lanes_add(struct job_lanes *lanes, const struct record *event, const struct handover_job *jobs, uint32_t count,
    int64_t begun_us)
{
	if (lanes->capacity < count) {
		lanes->capacity = count;
		lanes->jobs = mem_resize(lanes->jobs, count, sizeof *lanes->jobs);
	}
	for (uint32_t c = 0; c < lanes->couriers; c++) {
		uint32_t its = 0;

		for (uint32_t i = 0; i < count; i++)
			if (handover_courier(jobs[i].endpoint_id, lanes->couriers) == c)
				lanes->jobs[its++] = jobs[i];
		if (its > 0)
			add(&lanes->lanes[c], event, lanes->jobs, its, begun_us);
	}
}

void
job_lanes_end(struct job_lanes *lanes)
{
	for (uint32_t c = 0; c < lanes->couriers; c++) {
		struct job_lane *lane = &lanes->lanes[c];
		struct wake wake = segment_wake(lanes->segment, ROLE_COURIER, c);
		bool any = lane->used > 0 || lane->missed;

		publish(lane);
		if (lane->missed)
			courier_add_missed(segment_courier(lanes->segment, c));
		lane->missed = false;
		if (any)
			wake_up(&wake);
	}
}

void
job_lanes_missed(struct job_lanes *lanes)
{
	for (uint32_t c = 0; c < lanes->couriers; c++)
		lanes->lanes[c].missed = true;
	job_lanes_end(lanes);
}
