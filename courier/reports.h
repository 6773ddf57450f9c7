/*
 * Handles the results of attempts: makes the verdict, puts the outcome on the lane, updates the job and its endpoint.
 * The lane has room for the outcome before an attempt begins. The loop's thread alone calls these functions.
 */
#ifndef COURIER_REPORTS_H
#define COURIER_REPORTS_H

#include <stdbool.h>

#include "courier/attempt.h"
#include "courier/jobs.h"
#include "shm/lane.h"
#include "shm/slots.h"

struct reports {
	struct lane lane; /* OUTCOMES of this courier, with its arena */
	struct process_slot *slot; /* counts deliveries */
	struct jobs *jobs;
	bool any; /* an outcome is on the lane; the caller wakes the store thread and clears it */
};

/* Whether the lane has room for one more outcome, besides those of all jobs in flight. */
bool reports_have_room(const struct reports *reports);

/* Handles the result of an attempt. */
void reports_attempt(struct reports *reports, struct job *job, const struct attempt_result *result);

/* Gives up a waiting job without an attempt. The lane must have room. */
void reports_dead(struct reports *reports, struct job *job, const char *reason);

#endif
