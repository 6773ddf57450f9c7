/*
 * What a publisher hands to a courier after the commit: an event and its jobs for that courier. A parcel of the lanes
 * JOBS is any number of these, one behind the other:
 *
 *   | length | job count | begun_us | job | job | ... | the event's record (event/record.h, RECORD_PUBLISHED) |
 *
 * The event stands once, whatever the number of its jobs.
 */
#ifndef EVENT_HANDOVER_H
#define EVENT_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/record.h"

struct handover_job {
	uint8_t endpoint_id[16];
	uint8_t transform_id[16]; /* all zero: none */
	int64_t expires_ms; /* wall clock, since 1970 */
	uint32_t number; /* k: the job's id is the event's + k */
	uint32_t fifo; /* 1: its row has a place in the order of its endpoint; 0 */
};

struct handover {
	uint32_t length; /* of all of it, a multiple of 8 */
	uint32_t jobs;
	int64_t begun_us; /* CLOCK_BOOTTIME, before the transaction began: a courier leaves an old one in its rows */
	struct handover_job job[]; /* behind the last stands the record */
};

_Static_assert(sizeof(struct handover_job) == 48 && offsetof(struct handover, job) == 16, "records stay aligned");

/* The bytes that an event with so many jobs takes. */
size_t handover_bytes(const struct record *event, uint32_t jobs);

/* Writes it to base, which is 8-byte aligned and has room for handover_bytes(). jobs > 0. */
void handover_write(
    void *base, const struct record *event, const struct handover_job *jobs, uint32_t count, int64_t begun_us);

/*
 * The one that stands at bytes[0..available), or NULL when it is damaged: the rest of the parcel is not to be used
 * then. *event: its record, checked. Both are borrowed.
 */
const struct handover *handover_read(const void *bytes, size_t available, const struct record **event);

/* Which of so many couriers delivers to that endpoint. */
uint32_t handover_courier(const uint8_t endpoint_id[16], uint32_t couriers);

/* A job's id. */
void handover_job_id(const uint8_t event_id[16], uint32_t number, uint8_t job_id[16]);

#endif
