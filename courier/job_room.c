/* Endpoints share the limit when memory is scarce. */
#include "courier/job_room.h"

#include "base/sizes.h"

#define ENDPOINT_BYTES_MAX (4 * MIB)

uint64_t
jobs_used(const struct jobs *jobs)
{
	return jobs->bytes + jobs->transforms->bytes;
}

/* The most bytes that one endpoint may have: an equal part when memory is scarce. */
static uint64_t
share(const struct jobs *jobs)
{
	uint64_t fair = jobs->limit / (jobs->busy + 1), most = jobs->limit / 4;

	if (most > ENDPOINT_BYTES_MAX)
		most = ENDPOINT_BYTES_MAX;
	return jobs_used(jobs) < jobs->limit / 2 || fair > most ? most : fair;
}

bool
jobs_has_room(const struct jobs *jobs, const struct queue *queue, uint64_t bytes)
{
	/*
	 * An endpoint without jobs may take one although memory is full, so that every endpoint makes progress. A
	 * quarter above the limit is reserved for that.
	 */
	if (queue->job_count == 0)
		return jobs_used(jobs) < jobs->limit + jobs->limit / 4;
	if (queue->breaker.state != BREAKER_CLOSED && queue->job_count >= JOBS_OF_BREAKER_MOST)
		return false;
	bytes += sizeof(struct job);
	return queue->bytes + bytes <= share(jobs) && jobs_used(jobs) + bytes <= jobs->limit;
}

uint64_t
jobs_room(const struct jobs *jobs, const struct queue *queue)
{
	uint64_t most = share(jobs), taken = jobs_used(jobs);
	uint64_t of_queue = queue->bytes < most ? most - queue->bytes : 0;
	uint64_t of_all = taken < jobs->limit ? jobs->limit - taken : 0;

	return of_queue < of_all ? of_queue : of_all;
}

bool
jobs_half_is_free(const struct jobs *jobs, const struct queue *queue)
{
	return jobs_room(jobs, queue) >= share(jobs) / 2;
}
