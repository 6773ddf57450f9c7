/* What becomes of a job after an attempt. */
#ifndef COURIER_VERDICT_H
#define COURIER_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* RETRY: after wait_ms. DEAD: reason says why. charged: it counts as an attempt and gets a row in attempts. */
enum verdict_kind { VERDICT_DELIVERED, VERDICT_RETRY, VERDICT_DEAD };

#define VERDICT_REASON_MAX 32

struct verdict {
	enum verdict_kind kind;
	bool charged;
	bool disables; /* the endpoint: 410, or it asked for that */
	bool holds_endpoint; /* 429 with Retry-After: no job of the endpoint is due before wait_ms are over */
	int64_t wait_ms;
	char reason[VERDICT_REASON_MAX]; /* of DEAD: "http_422", "max_attempts_exceeded", "aborted", "guard", ... */
};

#endif
