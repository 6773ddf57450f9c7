/*
 * Stores outcomes in one transaction: their effect on jobs, attempts and endpoints, or a part of it. For the store
 * thread.
 */
#ifndef COURIER_OUTCOME_ROWS_H
#define COURIER_OUTCOME_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "courier/outcome.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/attempt_rows.h"
#include "store/webhooks/job_outcomes.h"

#define OUTCOMES_AT_ONCE 500
#define OUTCOME_STATUS_BYTES 20

/*
 * Which parts of an outcome are stored. texts: the free texts of attempts and jobs. attempt: the row in attempts.
 * disables: disabling the endpoint. ends: a delivered or dead job leaves `jobs`; without it its row waits for a day.
 */
struct outcome_form {
	bool texts, attempt, disables, ends;
};

struct outcome_rows {
	const struct segment *segment;
	struct process_slot *slot; /* the courier's; only its store thread counts disabled endpoints */
	struct uuid_source ids;
	int64_t node_id; /* set by the caller: only this node's jobs are changed; 0: any node's */
	bool repeats; /* the first outcomes on the lane may be stored already; the caller clears it */
	bool missing; /* some jobs of the open transaction had no rows */
	int64_t version; /* version of changes raised by the open transaction; 0: none */
	const struct outcome *disabled[OUTCOMES_AT_ONCE]; /* the open transaction disables their endpoints */
	uint32_t disabled_count;
	struct job_outcome jobs[OUTCOMES_AT_ONCE];
	struct attempt_row attempts[OUTCOMES_AT_ONCE];
	char reasons[OUTCOMES_AT_ONCE][OUTCOME_STATUS_BYTES]; /* for jobs */
};

/* Initialises it. segment and slot are borrowed. */
void outcome_rows_open(struct outcome_rows *rows, const struct segment *segment, struct process_slot *slot);

/*
 * Stores up to OUTCOMES_AT_ONCE outcomes, sorted by endpoint, job and time. If rows exist already, sets repeats and
 * tries again. Wakes the couriers of this node if it disables an endpoint. As db_commit().
 */
int outcome_rows_write(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err); /* six: which, how, and where */

#endif
