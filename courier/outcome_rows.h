/*
 * Outcomes as rows, in one transaction: what they say of jobs, attempts and endpoints, or a part of that. For the store
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
 * What of outcomes is stored. texts: the free ones of attempts and jobs; attempt: the row in attempts; disables: the
 * endpoint; ends: a job that is delivered or dead leaves `jobs`, else its row waits for a day.
 */
struct outcome_form {
	bool texts, attempt, disables, ends;
};

struct outcome_rows {
	const struct segment *segment;
	struct process_slot *slot; /* the courier's; its store thread alone counts disabled endpoints there */
	struct uuid_source ids;
	int64_t node_id; /* the caller sets it: jobs of other nodes are not changed; 0: those of any are */
	bool repeats; /* what stands first on the lane may be stored already; the caller clears it */
	bool missing; /* of the jobs that the open transaction has changed, some had no rows */
	int64_t version; /* of changes, that the open transaction has raised; 0: none */
	const struct outcome *disabled[OUTCOMES_AT_ONCE]; /* their endpoints, by the open transaction */
	uint32_t disabled_count;
	struct job_outcome jobs[OUTCOMES_AT_ONCE];
	struct attempt_row attempts[OUTCOMES_AT_ONCE];
	char reasons[OUTCOMES_AT_ONCE][OUTCOME_STATUS_BYTES]; /* of jobs */
};

/* Of zeros. segment and slot are borrowed. */
void outcome_rows_open(struct outcome_rows *rows, const struct segment *segment, struct process_slot *slot);

/*
 * Stores up to OUTCOMES_AT_ONCE outcomes, which are sorted by endpoint, job, and then as they happened. Rows that are
 * there already set repeats. Couriers of this node learn of an endpoint that is disabled. As db_commit().
 */
int outcome_rows_write(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err); /* six: which, how, and where */

#endif
