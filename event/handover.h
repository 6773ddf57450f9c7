/*
 * An event and its jobs for one courier, which a publisher passes on after its commit. A parcel of the lanes JOBS is a
 * sequence of these:
 *
 *   | length | job count | begun_us | job | job | ... | the event's record (event/record.h, RECORD_PUBLISHED) |
 *
 * The event is included once for all its jobs.
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
	int64_t expires_ms; /* wall clock, ms since 1970 */
	uint32_t number; /* k: the job's id is the event's id + k */
	uint32_t fifo; /* 1: its row has a place in the order of its fifo endpoint; else 0 */
};

struct handover {
	uint32_t length; /* of the whole, a multiple of 8 */
	uint32_t jobs;
	int64_t begun_us; /* clock_boot_us() before the transaction; a courier does not take over old jobs */
	struct handover_job job[]; /* the record follows the last job */
};

_Static_assert(sizeof(struct handover_job) == 48 && offsetof(struct handover, job) == 16, "records stay aligned");

/* The size of an event with that many jobs. */
size_t handover_bytes(const struct record *event, uint32_t jobs);

/* Writes a handover to base, which is 8-byte aligned and has room for handover_bytes(). count > 0. */
void handover_write(
    void *base, const struct record *event, const struct handover_job *jobs, uint32_t count, int64_t begun_us);

/*
 * The handover at bytes[0..available), or NULL if it is damaged: then skip the rest of the parcel, too. *event is its
 * checked record. Both are borrowed.
 */
const struct handover *handover_read(const void *bytes, size_t available, const struct record **event);

/* The number, below couriers, of the courier that delivers to that endpoint. */
uint32_t handover_courier(const uint8_t endpoint_id[16], uint32_t couriers);

/* Writes the id of the event's job `number`. */
void handover_job_id(const uint8_t event_id[16], uint32_t number, uint8_t job_id[16]);

#endif
