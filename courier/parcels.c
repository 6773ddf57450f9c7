/* Jobs from publishers. */
#include "courier/parcels.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "courier/job_room.h"
#include "courier/queues.h"
#include "event/handover.h"

#define PARCELS_A_TURN 64u /* per lane */

struct taking {
	struct jobs *jobs;
	const struct cancelled *cancelled;
	int64_t since_us, now_us, boot_us, wall_us;
};

/*
 * Leaves a job of an endpoint with fifo in its row, which says when its turn is. A job that was published before the
 * endpoint had fifo has no place. The known configuration may be older than the job.
 */
static void
leave_in_order(struct jobs *jobs, struct queue *queue, const struct handover_job *job, const struct record *event)
{
	if (!queue->fifo.on) {
		if (queue->state == ENDPOINT_LOADED)
			queues_read_anew(jobs->queues, queue);
		queues_load(jobs->queues, queue);
		read_schedule_all(jobs->schedule, queue, jobs->schedule->now_us + PARCEL_WAIT_US);
	} else if (job->fifo == 0) {
		queue->fifo.unplaced = true;
		read_schedule_all(jobs->schedule, queue, jobs->schedule->now_us);
	} else if (!fifo_has_skipped(&queue->fifo, event)) {
		read_schedule_new_rows(jobs->schedule, queue, jobs->schedule->now_us);
	}
}

/* Takes a job, or leaves it in its row. *copy: the event's copy, made for the first job taken. */
static void
take_job(const struct taking *taking, const struct handover *handover, const struct handover_job *job,
    const struct record *event, struct event_copy **copy)
{
	int64_t expires_in_us = job->expires_ms * 1000 - taking->wall_us;
	struct job_facts facts = {.due_us = taking->now_us, .expires_us = taking->now_us + expires_in_us};
	int64_t age_us = taking->boot_us - handover->begun_us;
	struct span tenant_id = record_tenant_name(event);
	struct jobs *jobs = taking->jobs;
	struct queue *queue;

	handover_job_id(event->event_id, job->number, facts.job_id);
	if (jobs_find(jobs, facts.job_id) != NULL || cancelled_has(taking->cancelled, tenant_id, facts.job_id))
		return;
	queue = queues_get(jobs->queues, tenant_id, job->endpoint_id, taking->now_us);
	if (queue_keeps_nothing(queue)) {
		read_schedule_unmarked(jobs->schedule, queue, taking->now_us);
		return;
	}
	if (queue->fifo.on || job->fifo != 0) {
		leave_in_order(jobs, queue, job, event);
		return;
	}
	/* A parcel from the future is from before a restart of the machine. */
	if (age_us < 0 || age_us > OLD_PARCEL_US || handover->begun_us < taking->since_us ||
	    queue->held_until_us - taking->now_us > READ_AHEAD_US || !jobs_has_room(jobs, queue, event->length)) {
		read_schedule_job(jobs->schedule, queue, facts.job_id,
		    taking->now_us + (age_us >= 0 && age_us < PARCEL_WAIT_US ? PARCEL_WAIT_US - age_us : 0));
		return;
	}
	memcpy(facts.transform_id, job->transform_id, sizeof facts.transform_id);
	if (*copy == NULL)
		*copy = event_copy_new(jobs, event->event_id, event);
	queues_load(jobs->queues, queue);
	jobs_take(jobs, queue, *copy, &facts);
}

static void
take_parcel(struct parcels *parcels, const struct taking *taking, const struct parcel *parcel)
{
	for (size_t at = 0; at < parcel->length;) {
		const struct record *event;
		const struct handover *handover = handover_read(parcel->bytes + at, parcel->length - at, &event);
		struct event_copy *copy = NULL;

		if (handover == NULL) {
			parcels->damaged = true;
			log_error("jobs on the ring are damaged: they are read from the store",
			    LOG_UINT("bytes", parcel->length - at));
			return;
		}
		for (uint32_t i = 0; i < handover->jobs; i++)
			take_job(taking, handover, &handover->job[i], event, &copy);
		if (copy != NULL)
			event_copy_unref(taking->jobs, copy);
		at += handover->length;
	}
}

bool
parcels_take(struct parcels *parcels, struct jobs *jobs, int64_t now_us, int64_t boot_us)
{
	const struct taking taking = {jobs, &parcels->cancelled, parcels->since_us, now_us, boot_us, clock_wall_us()};
	bool any = false;

	for (uint32_t i = 0; i < parcels->count; i++) {
		const struct lane *lane = &parcels->lanes[i];
		uint32_t position = lane_released(lane);
		struct parcel parcel;

		for (uint32_t n = 0; n < PARCELS_A_TURN && lane_peek(lane, position, &parcel); n++) {
			take_parcel(parcels, &taking, &parcel);
			lane_release(lane, ++position);
			any = true;
		}
	}
	return any;
}

bool
parcels_wait(const struct parcels *parcels)
{
	for (uint32_t i = 0; i < parcels->count; i++)
		if (lane_depth(&parcels->lanes[i]) > 0)
			return true;
	return false;
}
