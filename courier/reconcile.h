/*
 * A page of an endpoint's rows is authoritative for the jobs that were in memory before it was asked for: somebody may
 * have cancelled or erased jobs, or made them due earlier. The loop's thread alone calls these functions.
 */
#ifndef COURIER_RECONCILE_H
#define COURIER_RECONCILE_H

#include <stdint.h>

#include "courier/jobs.h"

/* The position of a row or a job among those of its endpoint: by place, then by id. */
struct job_place {
	int64_t seq; /* 0 without an order */
	const uint8_t *id; /* 16 bytes */
};

/*
 * Call the three in this order for a page: begin; each row, with the time at which it is due; the end, with the range
 * of its rows, behind `after` up to `last` (NULL: to the end). A job whose row is missing is forgotten; if an attempt
 * or an outcome of it is under way, it is not begun again.
 */
void reconcile_begin(struct jobs *jobs);
void reconcile_row(struct jobs *jobs, const struct queue *queue, const uint8_t job_id[16], int64_t due_us);
void reconcile_end(struct jobs *jobs, struct queue *queue, const struct job_place *after, const struct job_place *last);

/* Takes the cancellation of a job of the tenant: the job, if it is in memory, is not begun any more. */
void jobs_cancel(struct jobs *jobs, const char *tenant_id, const uint8_t job_id[16]);

#endif
