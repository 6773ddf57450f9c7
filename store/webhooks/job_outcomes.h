/*
 * What attempts change in `jobs`: a job is delivered, waits for another attempt, or is dead. Each change sets absolute
 * values and applies only where the row's attempt_count is below a number, so a change that is made twice changes
 * nothing, and neither does one of a job that has no row any more, or that another node has taken over.
 */
#ifndef STORE_WEBHOOKS_JOB_OUTCOMES_H
#define STORE_WEBHOOKS_JOB_OUTCOMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

#define JOB_ATTEMPTS_MAX INT16_MAX

/* Everything is borrowed. Times are given as distances from now: the database's clock may be another one. */
struct job_outcome {
	struct span tenant_id;
	const uint8_t *endpoint_id, *job_id, *event_id; /* 16 bytes each */
	int64_t node_id; /* the change applies where the row is this node's; 0: whosever it is */
	uint32_t attempt_count; /* as the row is to have it, up to JOB_ATTEMPTS_MAX */
	uint32_t below; /* the change applies where the row's is below this */
	int64_t due_in_ms; /* of one that waits */
	bool sets_expiry; /* of one that waits */
	int64_t expires_in_ms;
	struct span reason; /* of a dead one */
	int32_t http_status; /* of a dead one; 0: none */
	struct span error; /* why the last attempt failed; base NULL: it is not known */
};

/*
 * Begins a transaction for these functions, and for those of job_rows.h: in it PostgreSQL reads by indexes, in
 * their order. An emptied queue has few rows on many pages, and the planner would rather read all of these pages. As
 * db_begin().
 *
 * A table that its last vacuum has found empty is empty for the planner, however many rows it has got since. Joined to
 * given rows by = it would read all of the index, and for each entry all given rows: half a minute, with a backlog. So
 * the first column of a key is joined by "= ANY (ARRAY[given.tenant_id])", of which the planner knows one use: it looks
 * into the index for each given row.
 */
int jobs_begin(struct db *db, struct error *err);

/* The same for the rest of a transaction that db_begin() began. As db_query(). */
int jobs_by_indexes(struct db *db, struct error *err);

/*
 * Each is for such a transaction. A job is named once in a call. Returns as db_query(). bury(): dead; its dead letter
 * has the event, or what is known of it when the event is gone. On 0 *changed is greater by the number of jobs whose
 * rows were there, and were changed: until the transaction ends their tenants are not removed.
 */
int job_outcomes_finish(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);
int job_outcomes_retry(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);
int job_outcomes_bury(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);

/* The time in an event's id, in ms since 1970: created_at is in that millisecond. */
int64_t job_event_ms(const uint8_t event_id[16]);

#endif
