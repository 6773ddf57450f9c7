/* Reads the row of the endpoint. */
#include "control/job_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/pauses.h"
#include "store/webhooks/endpoints.h"
#include "store/webhooks/job_lifetime.h"

#define REASON_BYTES_MAX 100 /* longer than the service's own reasons */

static void
say_why(const struct endpoint *endpoint, char why[JOB_TARGET_WHY_BYTES])
{
	const struct span reason = endpoint->disabled_reason;

	if (endpoint->enabled)
		(void)snprintf(why, JOB_TARGET_WHY_BYTES, "the endpoint is paused");
	else if (reason.base != NULL && reason.len <= REASON_BYTES_MAX)
		(void)snprintf(
		    why, JOB_TARGET_WHY_BYTES, "the endpoint is disabled: %.*s", (int)reason.len, reason.base);
	else
		(void)snprintf(why, JOB_TARGET_WHY_BYTES, "the endpoint is disabled");
}

static int
hold_if_paused(const struct request *request, struct job_target *target, struct error *err)
{
	int rc = pause_holds(request, request->caller.tenant_id, &target->held, err);

	if (rc == 0 && target->held)
		(void)snprintf(target->why_held, sizeof target->why_held, "deliveries are paused");
	return rc;
}

int
job_target_read(const struct request *request, struct span endpoint_id, struct job_target *target, struct error *err)
{
	struct db_rows *rows;
	int rc = endpoints_get(request->db, request->caller.tenant_id, endpoint_id, false, &rows, err);

	*target = (struct job_target){0};
	if (rc != 0)
		return rc;
	(void)snprintf(target->endpoint_id, sizeof target->endpoint_id, "%.*s", (int)endpoint_id.len, endpoint_id.base);
	target->exists = db_rows_count(rows) > 0;
	if (target->exists) {
		const struct endpoint endpoint = endpoint_of_row(rows, 0);

		target->held = !endpoint.enabled || endpoint.paused;
		target->fifo = endpoint.fifo;
		if (target->held)
			say_why(&endpoint, target->why_held);
		target->lifetime_ms =
		    job_lifetime_ms(request->context->config, endpoint.retry_schedule, (uint32_t)endpoint.max_attempts);
	}
	db_rows_free(rows);
	return target->exists && !target->held ? hold_if_paused(request, target, err) : 0;
}

static bool
is(const struct job_target *target, struct span endpoint_id)
{
	return strlen(target->endpoint_id) == endpoint_id.len &&
	       memcmp(target->endpoint_id, endpoint_id.base, endpoint_id.len) == 0;
}

/* Consecutive jobs often have the same endpoint. */
int
job_targets_find(struct job_targets *targets, const struct request *request, struct span endpoint_id,
    struct job_target *target, struct error *err)
{
	uint32_t at = targets->last;
	int rc;

	if (at >= targets->count || !is(&targets->items[at], endpoint_id))
		for (at = 0; at < targets->count && !is(&targets->items[at], endpoint_id); at++)
			;
	if (at == targets->count) {
		rc = job_target_read(request, endpoint_id, target, err);
		if (rc != 0)
			return rc;
		if (targets->count == targets->capacity) {
			targets->capacity = targets->capacity > 0 ? 2 * targets->capacity : 16;
			targets->items = mem_resize(targets->items, targets->capacity, sizeof *targets->items);
		}
		targets->items[targets->count++] = *target;
	}
	targets->last = at;
	*target = targets->items[at];
	return 0;
}

void
job_targets_free(struct job_targets *targets)
{
	free(targets->items);
}
