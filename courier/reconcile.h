/*
 * A page of an endpoint's rows is the word on the jobs that were in memory before it was asked for: others cancel
 * jobs, erase them, make them due earlier. The loop's thread alone calls these functions.
 */
#ifndef COURIER_RECONCILE_H
#define COURIER_RECONCILE_H

#include <stdint.h>

#include "courier/jobs.h"

/* Where a row or a job stands among those of its endpoint: by place, then by id. */
struct job_place {
	int64_t seq; /* 0 where no order is kept */
	const uint8_t *id; /* 16 bytes */
};

/*
 * The three go in this order: a page came; a row of it is due then; its rows were those behind `after` up to `last`
 * (NULL: to the end). A job whose row is not there is forgotten. One of which an attempt or an outcome is under way is
 * not begun again.
 */
void jobs_page_begins(struct jobs *jobs);
void jobs_page_has(struct jobs *jobs, const struct queue *queue, const uint8_t job_id[16], int64_t due_us);
void jobs_page_ends(
    struct jobs *jobs, struct queue *queue, const struct job_place *after, const struct job_place *last);

/* Somebody has cancelled that job of the tenant: it is not begun any more, if it is there. */
void jobs_cancel(struct jobs *jobs, const char *tenant_id, const uint8_t job_id[16]);

#endif
