/* Writes and reads handovers. They are checked because a publisher may have been killed while writing. */
#include "event/handover.h"

#include <string.h>

#include "base/crc32c.h"

size_t
handover_bytes(const struct record *event, uint32_t jobs)
{
	return offsetof(struct handover, job) + jobs * sizeof(struct handover_job) + event->length;
}

void
handover_write(
    void *base, const struct record *event, const struct handover_job *jobs, uint32_t count, int64_t begun_us)
{
	struct handover *handover = base;

	handover->length = (uint32_t)handover_bytes(event, count);
	handover->jobs = count;
	handover->begun_us = begun_us;
	memcpy(handover->job, jobs, count * sizeof *jobs);
	memcpy(&handover->job[count], event, event->length);
}

const struct handover *
handover_read(const void *bytes, size_t available, const struct record **event)
{
	const struct handover *handover = bytes;
	const size_t head = offsetof(struct handover, job);

	if (available < head || handover->length > available || handover->length % 8 != 0 || handover->jobs == 0 ||
	    handover->jobs > (handover->length - head) / sizeof(struct handover_job))
		return NULL;

	size_t before = head + handover->jobs * sizeof(struct handover_job);

	*event = (const struct record *)(const void *)((const char *)bytes + before);
	if (!record_check(*event, handover->length - before) || (*event)->kind != RECORD_PUBLISHED ||
	    (*event)->length != handover->length - before)
		return NULL;
	return handover;
}

uint32_t
handover_courier(const uint8_t endpoint_id[16], uint32_t couriers)
{
	return crc32c((const char *)endpoint_id, 16) % couriers;
}

void
handover_job_id(const uint8_t event_id[16], uint32_t number, uint8_t job_id[16])
{
	memcpy(job_id, event_id, 16);
	job_id[14] = (uint8_t)(number >> 8);
	job_id[15] = (uint8_t)number;
}
