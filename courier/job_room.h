/* How much memory an endpoint's jobs may have. The loop's thread alone calls these functions. */
#ifndef COURIER_JOB_ROOM_H
#define COURIER_JOB_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/job.h"
#include "courier/queue.h"

/* The most jobs of an endpoint whose breaker is open: a page of rows. */
#define JOBS_OF_BREAKER_MOST PAGE_ROWS

/* The bytes of all jobs, and of the transforms that they share. */
uint64_t jobs_used(const struct jobs *jobs);

/*
 * Whether the endpoint may take a job whose event has that many bytes. An endpoint without jobs may, unless the reserve
 * above the limit is used up.
 */
bool jobs_has_room(const struct jobs *jobs, const struct queue *queue, uint64_t bytes);

/* The bytes of events that the endpoint may still take; and whether half of its share is free. */
uint64_t jobs_room(const struct jobs *jobs, const struct queue *queue);
bool jobs_half_is_free(const struct jobs *jobs, const struct queue *queue);

#endif
