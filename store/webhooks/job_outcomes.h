/*
 * Changes `jobs` by the results of attempts: a job is delivered, waits for another attempt, or is dead. Each change
 * sets absolute values, and applies only if the row's attempt_count is below a number: so a repeated change has no
 * effect. It has none either if the row is gone or belongs to another node.
 */
#ifndef STORE_WEBHOOKS_JOB_OUTCOMES_H
#define STORE_WEBHOOKS_JOB_OUTCOMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

#define JOB_ATTEMPTS_MAX INT16_MAX

/* Everything is borrowed. Times are distances from now, because the database's clock may differ. */
struct job_outcome {
	struct span tenant_id;
	const uint8_t *endpoint_id, *job_id, *event_id; /* 16 bytes each */
	int64_t node_id; /* the change applies only to this node's row; 0: to any node's */
	uint32_t attempt_count; /* new value for the row, up to JOB_ATTEMPTS_MAX */
	uint32_t below; /* the change applies if the row's attempt_count is below */
	int64_t due_in_ms; /* of one that waits */
	bool sets_expiry; /* of one that waits */
	int64_t expires_in_ms;
	struct span reason; /* of a dead one */
	int32_t http_status; /* of a dead one; 0: none */
	struct span error; /* why the last attempt failed; base NULL: unknown */
};

/*
 * Begins a transaction for these functions and those of job_rows.h, in which PostgreSQL reads by indexes, in their
 * order. An emptied queue has few rows on many pages, and the planner would choose to read all pages. As db_begin().
 *
 * The planner takes a table for empty if the last vacuum found it empty, however many rows were added since. In a join
 * with given rows by = it would read the whole index, and all given rows for each entry: half a minute, with a backlog.
 * So the first column of a key is joined by "= ANY (ARRAY[given.tenant_id])", which forces an index lookup for each
 * given row.
 */
int jobs_begin(struct db *db, struct error *err);

/* The same for the rest of an open transaction. As db_query(). */
int jobs_by_indexes(struct db *db, struct error *err);

/*
 * Change jobs in such a transaction. Each job may occur once in a call. Return as db_query(). dead_letter() makes dead
 * letters, which contain the event, or what is known of it if it is gone. On 0 adds the number of changed rows to
 * *changed; the tenants of these jobs are not removed before the transaction ends.
 */
int job_outcomes_finish(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);
int job_outcomes_retry(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);
int job_outcomes_dead_letter(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);

/* The time in an event's id, in ms since 1970: created_at is in that millisecond. */
int64_t job_event_ms(const uint8_t event_id[16]);

#endif
