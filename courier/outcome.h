/*
 * The outcome of an attempt as bytes on the lane OUTCOMES, which leads from a courier to itself: the loop's thread puts
 * it there, the store thread writes it to the store and releases it. A courier that takes over finds what its
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

/* So many outcomes that wait are written at once; fewer, 20 ms after others. */
#define OUTCOMES_SOON 250

#define OUTCOME_BYTES_MAX 8192

/* The job that was attempted. tenant_id is borrowed: 1 to TENANT_ID_MAX bytes. */
struct outcome_job {
	struct span tenant_id;
	uint8_t endpoint_id[16], job_id[16], event_id[16];
	uint32_t attempt_count; /* charged ones in all, this one included if it counts */
	int64_t expires_ms; /* as the row is to have it, by CLOCK_BOOTTIME as due_ms; 0: as it is */
};

/*
 * Texts are valid UTF-8 without NUL, at most as long as in struct attempt_result and struct verdict; without a base or
 * of no bytes: none. Those of an outcome that was read are borrowed from the lane.
 */
struct outcome {
	struct outcome_job job;
	enum verdict_kind kind;
	bool charged, disables;
	bool of_notice; /* its event tells of endpoints or deliveries: see topic_of_notices() */
	int64_t breaker_version; /* of the endpoint's configuration that was used */
	int64_t due_ms; /* of RETRY: CLOCK_BOOTTIME, whose waits outlive a courier and steps of the wall clock */
	struct span reason; /* of DEAD */
	enum attempt_end end;
	uint8_t attempt_id[16];
	int32_t http_status;
	int64_t started_us;
	int32_t duration_ms, dns_ms, connect_ms, tls_ms, first_byte_ms;
	struct span peer, error, certificate_error, response;
};

/* Writes one to base, which has room for OUTCOME_BYTES_MAX. Returns its bytes, a multiple of 8. */
size_t outcome_write(void *base, const struct outcome *outcome);

/* Reads what stands at bytes[0..length), whatever it is. false: it is no whole, undamaged outcome. */
bool outcome_read(const void *bytes, size_t length, struct outcome *outcome);

#endif
