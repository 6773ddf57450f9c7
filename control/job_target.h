/* What an endpoint makes of a job that control makes or hurries. Worker threads. */
#ifndef CONTROL_JOB_TARGET_H
#define CONTROL_JOB_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/object_id.h"
#include "control/request.h"

#define JOB_TARGET_WHY_BYTES 160

struct job_target {
	char endpoint_id[OBJECT_ID_BYTES];
	bool there; /* it is not deleted */
	bool held; /* it is disabled or paused, or deliveries are: its jobs wait */
	char why_held[JOB_TARGET_WHY_BYTES]; /* a sentence for a person */
	bool fifo; /* it keeps an order */
	int64_t lifetime_ms; /* of a job from now on */
};

/* Reads one of the caller's tenant, in the transaction. Returns as db_query(). */
int job_target_read(
    const struct request *request, struct span endpoint_id, struct job_target *target, struct error *err);

/* Those that a transaction has read: each is read once. All zero is none. */
struct job_targets {
	struct job_target *items;
	uint32_t count, capacity;
	uint32_t last; /* found by the last call */
};

int job_targets_find(struct job_targets *targets, const struct request *request, struct span endpoint_id,
    struct job_target *target, struct error *err);
void job_targets_free(struct job_targets *targets);

#endif
