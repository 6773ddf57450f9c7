/*
 * Decides what becomes of a job after an attempt (docs/deliveries.md, "What counts as delivered"). Pure: no clock, no
 * random numbers of its own.
 */
#ifndef COURIER_VERDICT_H
#define COURIER_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/attempt.h"
#include "courier/endpoint_config.h"

/* RETRY: after wait_ms. DEAD: reason says why. */
enum verdict_kind { VERDICT_DELIVERED, VERDICT_RETRY, VERDICT_DEAD };

#define VERDICT_REASON_MAX 32

struct verdict {
	enum verdict_kind kind;
	bool charged; /* counts as an attempt and gets a row in attempts */
	bool disables; /* disable the endpoint: 410, or its reply asks for it; the job still goes by the status */
	bool holds_endpoint; /* 429 with Retry-After, or UNRESOLVED: none of its jobs is due before wait_ms */
	int64_t wait_ms;
	char reason[VERDICT_REASON_MAX]; /* of DEAD: "http_422", "max_attempts_exceeded", "aborted", "guard", ... */
};

/*
 * charged: attempts of the job since it was made or requeued, including this one. chance: 0..2^32-1, for the jitter,
 * which lengthens a wait of the schedule by up to 20 %.
 */
struct verdict verdict_of(
    const struct attempt_result *result, const struct endpoint_config *endpoint, uint32_t charged, uint32_t chance);

#endif
