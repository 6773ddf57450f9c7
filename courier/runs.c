/*
 * An endpoint with changes is on a list until they are stored. The list is walked once a second at most, so its length
 * costs little.
 */
#include "courier/runs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "config/text_rules.h"
#include "courier/id_table.h"
#include "store/webhooks/endpoint_runs.h"
#include "store/webhooks/job_outcomes.h"

#define SECOND_US (1000 * 1000)
#define MINUTE_US (60 * SECOND_US)
#define AT_ONCE 500
#define BUSY_MOST 5
/* Endpoints remembered after all is stored, so that they are written at most once a minute. */
#define REMEMBERED 4096

struct run {
	struct id_link link; /* first */
	struct run *next; /* in runs.list */
	char tenant_id[TENANT_ID_MAX + 1];
	bool listed;
	bool succeeded, failing; /* since it was last stored */
	/* Steady: the last success, the first failure after it, the last failure. */
	int64_t succeeded_us, failing_us, failed_us;
	int64_t version; /* the newest breaker_version: older failures do not count */
	int64_t stored_us; /* steady; 0: never */
	int64_t not_before_us; /* steady: a retry, because its row was locked, or the store was busy with it */
	bool changed_breaker; /* the store may have an older breaker state */
	enum breaker_state breaker, stored_breaker;
	bool knows_breaker; /* stored_breaker is valid */
};

struct runs {
	struct id_table table;
	struct run *list;
	struct repeat refused;
	int64_t look_us; /* steady: next walk over the list */
};

struct runs *
runs_new(void)
{
	return mem_new(1, sizeof(struct runs));
}

/* Forgets runs with nothing to store that were stored a minute ago or earlier; INT64_MAX: all runs. */
static void
forget(struct runs *runs, int64_t now_us)
{
	struct id_link **links = id_table_list(&runs->table);
	uint32_t count = runs->table.count;

	for (uint32_t i = 0; i < count; i++) {
		struct run *run = (struct run *)links[i];

		if (now_us != INT64_MAX && (run->listed || now_us < run->stored_us + MINUTE_US))
			continue;
		id_table_remove(&runs->table, &run->link);
		free(run);
	}
	free(links);
}

void
runs_free(struct runs *runs)
{
	forget(runs, INT64_MAX);
	id_table_free(&runs->table);
	free(runs);
}

static struct run *
run_of(struct runs *runs, struct span tenant_id, const uint8_t endpoint_id[16])
{
	struct run *run = (struct run *)id_table_find(&runs->table, endpoint_id);

	if (run != NULL)
		return run;
	run = mem_new(1, sizeof *run);
	memcpy(run->link.id, endpoint_id, 16);
	memcpy(run->tenant_id, tenant_id.base, tenant_id.len);
	id_table_add(&runs->table, &run->link);
	return run;
}

static void
list(struct runs *runs, struct run *run)
{
	if (run->listed)
		return;
	run->listed = true;
	run->next = runs->list;
	runs->list = run;
}

static bool
has_changes(const struct run *run)
{
	return run->succeeded || run->failing || run->changed_breaker;
}

void
runs_note(struct runs *runs, const struct outcome *outcome, int64_t now_us)
{
	bool delivered = outcome->kind == VERDICT_DELIVERED;
	struct run *run;

	if (!outcome->charged || (!delivered && (outcome->of_notice || outcome->end == ATTEMPT_TRANSFORM)))
		return;
	run = run_of(runs, outcome->job.tenant_id, outcome->job.endpoint_id);
	if (outcome->breaker_version > run->version) {
		run->version = outcome->breaker_version;
		run->stored_us = 0; /* store the change at once */
		run->failing = false;
	}
	if (delivered) {
		run->succeeded = true;
		run->succeeded_us = now_us;
		run->failing = false;
	} else if (outcome->breaker_version == run->version) {
		if (!run->failing)
			run->failing_us = now_us;
		run->failing = true;
		run->failed_us = now_us;
	}
	if (has_changes(run))
		list(runs, run);
}

void
runs_note_breaker(struct runs *runs, const char *tenant_id, const uint8_t endpoint_id[16], enum breaker_state breaker)
{
	struct run *run = run_of(runs, (struct span){tenant_id, strlen(tenant_id)}, endpoint_id);

	run->breaker = breaker;
	run->changed_breaker = !run->knows_breaker || breaker != run->stored_breaker;
	if (run->changed_breaker)
		list(runs, run);
}

int64_t
runs_due_us(const struct runs *runs)
{
	return runs->list != NULL ? runs->look_us : INT64_MAX;
}

static bool
is_due(const struct run *run, int64_t now_us)
{
	if (!has_changes(run)) /* its breaker has changed back */
		return false;
	if (now_us < run->not_before_us)
		return false;
	return run->changed_breaker || run->stored_us == 0 || now_us >= run->stored_us + MINUTE_US;
}

static int
compare_runs(const void *a, const void *b)
{
	const struct run *one = *(struct run *const *)a, *other = *(struct run *const *)b;

	return memcmp(one->link.id, other->link.id, 16);
}

/*
 * Gathers the runs that are due, at most AT_ONCE, by id: other nodes write the same rows, so the order avoids
 * deadlocks.
 */
static uint32_t
gather(const struct runs *runs, int64_t now_us, struct run *due[AT_ONCE])
{
	uint32_t count = 0;

	for (struct run *run = runs->list; run != NULL && count < AT_ONCE; run = run->next)
		if (is_due(run, now_us))
			due[count++] = run;
	if (count > 1)
		qsort(due, count, sizeof(struct run *), compare_runs);
	return count;
}

static void
mark_stored(struct run *run, int64_t now_us)
{
	run->stored_us = now_us;
	if (run->changed_breaker) {
		run->stored_breaker = run->breaker;
		run->knows_breaker = true;
		run->changed_breaker = false;
	}
	run->succeeded = run->failing = false;
}

/* Stores the runs. Those with a locked row are kept for later. */
static int
store(struct db *db, struct run *const *due, uint32_t count, int64_t now_us, struct error *err)
{
	struct endpoint_run rows[AT_ONCE];
	int rc = jobs_begin(db, err);

	for (uint32_t i = 0; i < count; i++)
		rows[i] = (struct endpoint_run){
		    .tenant_id = {due[i]->tenant_id, strlen(due[i]->tenant_id)},
		    .endpoint_id = due[i]->link.id,
		    .succeeded = due[i]->succeeded,
		    .succeeded_ago_ms = (now_us - due[i]->succeeded_us) / 1000,
		    .failing = due[i]->failing,
		    .failing_ago_ms = (now_us - due[i]->failing_us) / 1000,
		    .failed_ago_ms = (now_us - due[i]->failed_us) / 1000,
		    .version = due[i]->version,
		    .breaker = due[i]->changed_breaker ? breaker_word(due[i]->breaker) : NULL,
		};
	if (rc == 0)
		rc = endpoint_runs_write(db, rows, count, err);
	rc = db_end(db, rc, err);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		if (rows[i].locked)
			due[i]->not_before_us = now_us + SECOND_US;
		else
			mark_stored(due[i], now_us);
	return rc;
}

/* Logs a refusal. The run is tried again after a minute, the breaker when it changes again. */
static void
log_refused(struct runs *runs, struct run *run, int64_t now_us, const struct error *err)
{
	uint64_t times = repeat_met(&runs->refused, now_us);
	char id[FORMAT_UUID_BYTES + 1] = "";

	run->stored_us = now_us;
	run->changed_breaker = run->knows_breaker = false;
	format_uuid(run->link.id, id);
	if (times > 0)
		log_warning("the store refuses to record since when an endpoint fails", LOG_STR("endpoint_id", id),
		    LOG_STR("error", err->text), LOG_UINT("times", times));
}

/* Removes from the list the runs that are stored. */
static void
clear_list(struct runs *runs)
{
	struct run **at = &runs->list;

	while (*at != NULL) {
		struct run *run = *at;

		run->listed = has_changes(run);
		if (run->listed)
			at = &run->next;
		else
			*at = run->next;
	}
}

static int
compare_retries(const void *a, const void *b)
{
	const struct run *one = *(struct run *const *)a, *other = *(struct run *const *)b;

	return (one->not_before_us > other->not_before_us) - (one->not_before_us < other->not_before_us);
}

/*
 * So one endpoint's refusal or locked row does not delay the others. If many are busy, the table itself may be locked:
 * the others are left for the next look, and come first then.
 */
static int
store_one_by_one(struct runs *runs, struct db *db, struct run **due, uint32_t count, int64_t now_us, struct error *err)
{ /* six: as store(), and where it is logged */
	qsort(due, count, sizeof(struct run *), compare_retries);
	for (uint32_t i = 0, busy = 0; i < count && busy < BUSY_MOST; i++) {
		struct run *run = due[i];
		int rc = store(db, &run, 1, now_us, err);

		if (rc == DB_REFUSED) {
			log_refused(runs, run, now_us, err);
		} else if (rc == DB_BUSY) {
			run->not_before_us = now_us + 2 * SECOND_US;
			busy++;
		} else if (rc != 0) {
			return rc;
		}
	}
	return 0;
}

int
runs_write(struct runs *runs, struct db *db, int64_t now_us, struct error *err)
{
	struct run *due[AT_ONCE];
	uint32_t count = gather(runs, now_us, due);
	int rc = count > 0 ? store(db, due, count, now_us, err) : 0;

	if (rc == DB_REFUSED || (rc == DB_BUSY && db_distributed(db)))
		rc = store_one_by_one(runs, db, due, count, now_us, err);
	clear_list(runs);
	if (rc != 0)
		return rc;
	if (runs->table.count > REMEMBERED)
		forget(runs, now_us);
	runs->look_us = count == AT_ONCE ? now_us : now_us + SECOND_US;
	return 0;
}
