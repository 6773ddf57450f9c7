/* How much memory an endpoint's jobs may have. The loop's thread alone calls these functions. */
#ifndef COURIER_JOB_ROOM_H
#define COURIER_JOB_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/job.h"
#include "courier/queue.h"

/* Jobs of an endpoint whose breaker is open: a page of rows. */
#define JOBS_OF_BREAKER_MOST PAGE_ROWS

/* The bytes of all jobs, and of the transforms that they share. */
uint64_t jobs_used(const struct jobs *jobs);

/* Whether the endpoint may take a job whose event has so many bytes; always if it has none, unless memory is full. */
bool jobs_has_room(const struct jobs *jobs, const struct queue *queue, uint64_t bytes);

/* The bytes of events that it may take; and whether these are half of what it may have. */
uint64_t jobs_room(const struct jobs *jobs, const struct queue *queue);
bool jobs_half_is_free(const struct jobs *jobs, const struct queue *queue);

#endif
