/* What an endpoint's row means for a job that control makes or makes due. Worker threads. */
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
	bool exists; /* it exists and is not deleted */
	bool held; /* it is disabled or paused, or deliveries are paused: its jobs wait */
	char why_held[JOB_TARGET_WHY_BYTES]; /* a sentence for a person */
	bool fifo; /* it keeps an order */
	int64_t lifetime_ms; /* of a job that is made now */
};

/* Reads an endpoint of the caller's tenant, in the transaction. Returns as db_query(). */
int job_target_read(
    const struct request *request, struct span endpoint_id, struct job_target *target, struct error *err);

/* The endpoints read by a transaction: each is read once. All zero: none. */
struct job_targets {
	struct job_target *items;
	uint32_t count, capacity;
	uint32_t last; /* found by the last call */
};

int job_targets_find(struct job_targets *targets, const struct request *request, struct span endpoint_id,
    struct job_target *target, struct error *err);
void job_targets_free(struct job_targets *targets);

#endif
