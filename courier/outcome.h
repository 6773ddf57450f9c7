/*
 * The outcome of an attempt as bytes on the lane OUTCOMES, which leads from a courier to itself: the loop's thread puts
 * it there, the store thread writes it to the store and releases it. A successor finds the outcomes that its
 * predecessor had not written. A parcel is one outcome:
 *
 *   | length | crc32c | ids, numbers, lengths of the texts (struct head in outcome.c) | texts | zeros up to 8 |
 */
#ifndef COURIER_OUTCOME_H
#define COURIER_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "courier/attempt.h"
#include "courier/verdict.h"

/* This many waiting outcomes are written at once; fewer wait until 20 ms after the last transaction. */
#define OUTCOMES_SOON 250

#define OUTCOME_BYTES_MAX 8192

/* The job that was attempted. tenant_id is borrowed: 1 to TENANT_ID_MAX bytes. */
struct outcome_job {
	struct span tenant_id;
	uint8_t endpoint_id[16], job_id[16], event_id[16];
	uint32_t attempt_count; /* charged attempts, including this one if it is charged */
	int64_t expires_ms; /* new expiry for the row, by CLOCK_BOOTTIME; 0: unchanged */
};

/*
 * Texts are valid UTF-8 without NUL, at most as long as in struct attempt_result and struct verdict. A text without
 * base or bytes is absent. outcome_read() borrows texts from the lane.
 */
struct outcome {
	struct outcome_job job;
	enum verdict_kind kind;
	bool charged, disables;
	bool of_notice; /* its event is a notice of the service: see topic_of_notices() */
	int64_t breaker_version; /* of the configuration that the attempt used */
	int64_t due_ms; /* of RETRY: CLOCK_BOOTTIME, so the wait survives the courier and steps of the wall clock */
	struct span reason; /* of DEAD */
	enum attempt_end end;
	uint8_t attempt_id[16];
	int32_t http_status;
	int64_t started_us;
	int32_t duration_ms, dns_ms, connect_ms, tls_ms, first_byte_ms;
	struct span peer, error, certificate_error, response;
};

/* Writes an outcome to base, which has room for OUTCOME_BYTES_MAX. Returns its size, a multiple of 8. */
size_t outcome_write(void *base, const struct outcome *outcome);

/* Reads an outcome from bytes[0..length), which may be anything. false: not a whole, undamaged outcome. */
bool outcome_read(const void *bytes, size_t length, struct outcome *outcome);

#endif
