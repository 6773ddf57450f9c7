/* The jobs are only rows: couriers read them after the tenant's change_version has been raised. */
#include "control/notices.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/propagation.h"
#include "shm/node.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/event_rows.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/notice_rows.h"
#include "store/webhooks/replay_jobs.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/stored_event.h"

#define TURN_US (400 * 1000)

/* How long a notice that cannot be published waits, so that others go first: after a conflict; after a failure. */
#define BUSY_MS 5000
#define FAILED_MS 60000

/* The event's tenant, and the node that delivers its jobs. */
struct making {
	struct span tenant_id;
	struct node_row node;
};

/* Adds the event and its jobs for that node. *jobs: how many. Returns as db_query(). */
static int
add_event(struct db *db, struct routes *routes, const struct record *record, struct node_row node, uint32_t *jobs,
    struct error *err) /* six: what goes where, and the result */
{
	struct publication item = {.record = record}, *items[] = {&item};
	struct route_jobs routed = {0};
	struct bytes text = {0};
	int rc;

	*jobs = item.jobs = routes_match(routes, record, &text, &routed);
	const struct publication_group group = {
	    .items = items, .count = 1, .jobs = &routed, .node = node, .now_ms = clock_wall_us() / 1000};
	rc = events_add(db, &group, db_insert, err);
	if (rc == 0)
		rc = jobs_add(db, &group, db_insert, err);
	route_jobs_free(&routed);
	bytes_free(&text);
	return rc;
}

/* Publishes a locked notice. *version: of changes; 0: not raised. Returns as db_query(). */
static int
publish(const struct notices *notices, struct db *db, const struct db_rows *rows, const struct making *making,
    int64_t *version, struct error *err) /* six: of what, and the result */
{
	struct span id = db_rows_text(rows, 0, JOB_EVENT_COLUMN_JOB_ID);
	const struct tenant_routes *tenant;
	struct bytes record = {0};
	uint8_t event_id[16];
	uint32_t jobs = 0;
	int rc = router_hold(notices->router, db, making->tenant_id, &tenant, err);

	if (rc != 0 || tenant == NULL) /* a deleted tenant gets none */
		return rc;
	if (!uuid_parse(id.base, id.len, event_id) ||
	    !stored_event_add(&record, making->tenant_id, event_id, rows, 0)) {
		(void)error_set(err, "somebody has edited its row");
		rc = DB_REFUSED;
	}
	if (rc == 0)
		rc = add_event(db, tenant->routes, (const void *)record.base, making->node, &jobs, err);
	if (rc == 0 && jobs > 0)
		rc = changes_raise_of(db, making->tenant_id.base, version, err);
	bytes_free(&record);
	return rc;
}

/* Publishes the notice found. *did: false: another node is working on it. Returns as db_commit(). */
static int
work_on(const struct notices *notices, struct db *db, const struct db_rows *found, bool *did, struct error *err)
{
	struct making making = {.tenant_id = db_rows_text(found, 0, 0)};
	struct db_rows *rows = NULL;
	int64_t version = 0;
	int rc = jobs_begin(db, err);

	*did = node_read(&notices->segment->header->node, &making.node);
	if (rc == 0 && *did)
		rc = notice_lock(db, found, &rows, err);
	*did = rc == 0 && db_rows_count(rows) > 0;
	if (*did)
		rc = publish(notices, db, rows, &making, &version, err);
	if (rc == 0 && *did)
		rc = notice_remove(db, found, err);
	if (rc == 0 && *did)
		rc = replay_hold_node(db, &making.node, err);
	rc = db_end(db, rc, err);
	db_rows_free(rows);
	if (rc == 0 && version != 0)
		propagation_wake_couriers(notices->segment, version);
	return rc;
}

/* Postpones a notice that the store refuses by a minute; the others go on. */
static int
put_off(struct notices *notices, struct db *db, const struct db_rows *found, struct error *err)
{
	uint64_t times = repeat_met(&notices->refused, clock_steady_us());

	if (times > 0)
		log_warning("an event of the service itself cannot be published: it waits",
		    LOG_STR("notice_id", db_rows_text(found, 0, 1).base), LOG_STR("error", err->text),
		    LOG_UINT("times", times));
	return notice_postpone(db, found, FAILED_MS, err);
}

static int
step(struct notices *notices, struct db *db, bool *did, struct error *err)
{
	struct db_rows *found;
	int rc = notices_find(db, &found, err);

	*did = false;
	if (rc != 0)
		return rc;
	if (db_rows_count(found) > 0) {
		/* Limits the transaction's age, because lists would miss an event of an older one. */
		db_share_timeout(db);
		rc = work_on(notices, db, found, did, err);
		db_set_deadline(db, INT64_MAX);
	}
	if (rc == DB_REFUSED) {
		rc = put_off(notices, db, found, err);
	} else if (rc != 0) {
		struct error ignored;

		/* A slow notice must not delay others. Without a store this has no effect. */
		(void)notice_postpone(db, found, rc == DB_BUSY ? BUSY_MS : FAILED_MS, &ignored);
	}
	db_rows_free(found);
	return rc;
}

int
notices_turn(struct notices *notices, struct db *db, struct error *err)
{
	int64_t until_us = clock_steady_us() + TURN_US;
	bool did;
	int rc;

	do
		rc = step(notices, db, &did, err);
	while (rc == 0 && did && clock_steady_us() < until_us);
	return rc == DB_BUSY ? 0 : rc;
}
