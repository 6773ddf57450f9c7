/*
 * What came of attempts: the verdict, the outcome on the lane, what becomes of the job and its endpoint. Room for the
 * outcome is there before an attempt begins. The loop's thread alone calls these functions.
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
	bool any; /* an outcome was put on the lane; the caller wakes the store thread and clears it */
};

/* Whether the lane has room for the outcome of one more job, besides those of all that are in flight. */
bool reports_have_room(const struct reports *reports);

/* An attempt has ended. */
void reports_attempt(struct reports *reports, struct job *job, const struct attempt_result *result);

/* A job that waits is given up without an attempt. The lane has room. */
void reports_dead(struct reports *reports, struct job *job, const char *reason);

#endif
