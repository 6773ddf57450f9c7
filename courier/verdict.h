/*
 * What becomes of a job after an attempt (docs/deliveries.md, "What counts as delivered"). Pure: no clock, no chance of
 * its own.
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
	bool charged; /* it counts as an attempt and gets a row in attempts */
	bool disables; /* the endpoint: 410, or it asked for that; the job goes by its status nevertheless */
	bool holds_endpoint; /* 429 with Retry-After, or UNRESOLVED: no job of it is due before wait_ms are over */
	int64_t wait_ms;
	char reason[VERDICT_REASON_MAX]; /* of DEAD: "http_422", "max_attempts_exceeded", "aborted", "guard", ... */
};

/*
 * charged: attempts of the job since it was made or requeued, this one included if it counts. chance: 0..2^32-1, for
 * the jitter: a wait of the schedule is made longer by up to 20 %, never shorter.
 */
struct verdict verdict_of(
    const struct attempt_result *result, const struct endpoint_config *endpoint, uint32_t charged, uint32_t chance);

#endif
