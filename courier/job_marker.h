/*
 * Marks jobs as held or pending after their endpoint has begun or ceased to hold; `held` jobs do not expire. Delivery
 * does not use these marks, so they may come late: a slice of rows at a time, when the store thread has nothing more
 * urgent to do.
 */
#ifndef COURIER_JOB_MARKER_H
#define COURIER_JOB_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/id_table.h"
#include "courier/pauses.h"
#include "store/db.h"

/* All zero: nothing to do. */
struct job_marker {
	struct marking *first, *last;
	struct id_table table; /* the same, by endpoint */
	int64_t not_before_us; /* steady: no step, because rows were locked or took too long */
	struct repeat refused, late;
};

/* How to mark the jobs of an endpoint. tenant_id and endpoint_id (16 bytes) are borrowed. */
struct mark_request {
	const char *tenant_id;
	const uint8_t *endpoint_id;
	bool holds; /* false: its jobs are pending */
	bool by_pause; /* it holds only because deliveries of its tenant are paused */
	int64_t lifetime_ms; /* lifetime of jobs that become pending */
	const uint8_t *after; /* mark the jobs behind that id (16 bytes); NULL: all */
};

/* Asks to mark the endpoint's jobs. Replaces an earlier request for it, and covers its jobs too. */
void job_marker_add(struct job_marker *marker, const struct mark_request *request);

/* The same for an endpoint that was not read; deliveries of its tenant are paused. */
void job_marker_add_paused(struct job_marker *marker, const char *tenant_id, const uint8_t endpoint_id[16]);

/* Takes the present pauses: forgets endpoints that were to hold by a pause that has ended. */
void job_marker_end_pauses(struct job_marker *marker, const struct pauses *pauses);

/* Whether a step is due. */
bool job_marker_has_work(const struct job_marker *marker);

/* Whether the endpoint's jobs are still to be marked. */
bool job_marker_has(const struct job_marker *marker, const uint8_t endpoint_id[16]);

/*
 * Marks a slice of the node's rows. If the store refuses, the endpoint's rows are left as they are. If rows are locked,
 * or marking takes too long, no step is due for a while, and then the other endpoints go first: deliveries must not
 * wait for marks. 0 or <0 as db_commit(); after <0 the slice is still to be marked.
 */
int job_marker_step(struct job_marker *marker, struct db *db, int64_t node_id, struct error *err);

/* Forgets all requests. */
void job_marker_clear(struct job_marker *marker);

#endif
