/*
 * The follower reads changes.version first and then the changed rows, so rows may be newer than the version it reports,
 * never older. It looks at a tenant if routing_versions has a version for it that was not reported yet.
 *
 * An endpoint without jobs in memory is not known. It is reported nevertheless if it has changed within two minutes,
 * because the change may have added rows of jobs; two minutes, because a row's time is the start of its transaction.
 * hooksctl adds rows of jobs without changing an endpoint, so for a changed tenant all endpoints that have rows are
 * reported.
 *
 * Steps are short, so that outcomes are written and pages read in between.
 */
#include "courier/follower.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "courier/cancels.h"
#include "courier/endpoint_reader.h"
#include "courier/known_endpoints.h"
#include "courier/node_watch.h"
#include "courier/pause_watch.h"
#include "courier/row_scan.h"
#include "courier/test_watch.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoint_changes.h"

#define LOOK_US (500 * 1000)
#define RECENT_MS (2 * 60 * 1000)
#define ENDPOINTS_A_STEP 20
#define TENANTS_A_STEP 20
#define TENANTS_US (1000 * 1000) /* a step begins with no further tenant after this: heartbeats wait for the step */
#define TENANTS_A_PAGE 5000 /* of all tenants, after one was removed */

enum follower_state {
	FOLLOWER_RESTS, /* until the next look */
	FOLLOWER_FINDS_REMOVED, /* looks for removed tenants, behind the place */
	FOLLOWER_LOOKS_AT_TENANTS, /* at changed tenants, behind the place */
	FOLLOWER_READS_ENDPOINTS /* changed ones, from the list */
};

struct follower {
	const struct segment *segment;
	uint32_t courier;
	struct message_queue *messages;
	struct job_marker *marker;
	struct endpoint_reader endpoints;
	struct known_endpoints known;
	struct pause_watch pauses;
	struct test_watch tests;
	struct node_watch nodes;
	enum follower_state state;
	bool started; /* the first look is over */
	bool looks_anew; /* look even if the version is unchanged */
	int64_t version, target; /* reported; to be reported after all its changes */
	int64_t from; /* the steps report changes after it: version, or -1 after the store's version has gone back */
	struct {
		int64_t version;
		char *tenant_id;
	} place;
	int64_t word; /* the segment's version at the last look */
	int64_t looked_us, changed_us; /* steady: the look that these steps belong to; the look that found `version` */
	int64_t look_us; /* steady: the next one */
};

struct follower *
follower_new(const struct config *config, const struct segment *segment, uint32_t courier,
    struct message_queue *messages, struct job_marker *marker)
{
	struct follower *follower = mem_new(1, sizeof *follower);

	follower->segment = segment;
	follower->courier = courier;
	follower->messages = messages;
	follower->marker = marker;
	follower->pauses = (struct pause_watch){.segment = segment, .courier = courier, .messages = messages};
	follower->nodes = (struct node_watch){.messages = messages, .logs = courier == 0};
	endpoint_reader_open(&follower->endpoints, config);
	follower->tests = (struct test_watch){
	    .segment = segment, .courier = courier, .messages = messages, .endpoints = &follower->endpoints};
	return follower;
}

void
follower_free(struct follower *follower)
{
	known_endpoints_free(&follower->known);
	free(follower->place.tenant_id);
	pause_watch_free(&follower->pauses);
	test_watch_free(&follower->tests);
	endpoint_reader_close(&follower->endpoints);
	free(follower);
}

/* ---- endpoints ---- */

bool
follower_has_paused(const struct follower *follower, const char *tenant_id)
{
	return pause_watch_has(&follower->pauses, tenant_id);
}

/* Adds the endpoint to the marker if its marks have to change. A paused tenant's jobs stay held. */
static void
hold_if_changed(struct follower *follower, const struct endpoint_config *endpoint, const struct known_endpoint *known)
{
	bool by_itself = endpoint_holds(endpoint),
	     holds = by_itself || follower_has_paused(follower, endpoint->tenant_id);
	const struct mark_request request = {.tenant_id = endpoint->tenant_id,
	    .endpoint_id = endpoint->endpoint_id,
	    .holds = holds,
	    .by_pause = holds && !by_itself,
	    .lifetime_ms = endpoint_lifetime_ms(endpoint)};

	/*
	 * For an endpoint that was not known, a page reports jobs that are held although they should not be. An
	 * endpoint whose row cannot be used is read again when it has got unmarked jobs.
	 */
	if (endpoint_is_unusable(endpoint) || (known != NULL && known->exists ? known->holds != holds : holds) ||
	    job_marker_has(follower->marker, endpoint->endpoint_id))
		job_marker_add(follower->marker, &request);
}

/* Reads the endpoint and sends MESSAGE_ENDPOINT. */
static int
send_endpoint(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err)
{
	struct known_endpoint *known = known_endpoint_find(&follower->known, endpoint_id);
	struct endpoint_config *endpoint;
	struct message *message;
	int64_t version = 0;
	int rc = endpoint_read(&follower->endpoints, db, tenant_id, endpoint_id, &endpoint, err);

	if (rc != 0)
		return rc;
	if (known != NULL &&
	    known_endpoint_has_other_limits(known, endpoint)) /* the row may be newer than the target */
		rc = changes_version(db, &version, err);
	if (rc != 0) {
		endpoint_config_unref(endpoint);
		return rc;
	}
	if (endpoint != NULL)
		hold_if_changed(follower, endpoint, known);
	if (known != NULL)
		known_endpoint_set(&follower->known, known, endpoint);
	message = message_new(MESSAGE_ENDPOINT, tenant_id, endpoint_id);
	message->config = endpoint;
	message->version = version;
	message_queue_put(follower->messages, message);
	return 0;
}

int
follower_load(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err)
{
	if (known_endpoint_find(&follower->known, endpoint_id) == NULL)
		known_endpoint_add(&follower->known, tenant_id, endpoint_id);
	return send_endpoint(follower, db, tenant_id, endpoint_id, err);
}

void
follower_forget(struct follower *follower, const uint8_t endpoint_id[16])
{
	known_endpoint_forget(&follower->known, endpoint_id);
}

bool
follower_knows_fifo(const struct follower *follower)
{
	return follower->known.with_fifo > 0;
}

void
follower_note_page(
    struct follower *follower, const uint8_t endpoint_id[16], const uint8_t after[16], const struct page_marks *marks)
{
	const struct known_endpoint *known = known_endpoint_find(&follower->known, endpoint_id);

	if (known == NULL || !known->exists)
		return;
	bool holds = known->holds || follower_has_paused(follower, known->tenant_id);
	const struct mark_request request = {
	    known->tenant_id, known->link.id, holds, holds && !known->holds, known->lifetime_ms, after};
	if (!(holds ? marks->any_pending : marks->any_held))
		return;
	job_marker_add(follower->marker, &request);
}

/* ---- changes ---- */

static void
compare_endpoint(struct follower *follower, const char *tenant_id, const struct db_rows *rows, uint32_t row)
{
	struct span text = db_rows_text(rows, row, 0);
	uint8_t id[16];

	if (uuid_parse(text.base, text.len, id) && row_scan_is_mine(follower->segment, follower->courier, id))
		known_endpoints_compare(
		    &follower->known, tenant_id, id, db_rows_int(rows, row, 1), db_rows_bool(rows, row, 2));
}

static void
send_row(void *context, const char *tenant_id, const uint8_t endpoint_id[16])
{
	const struct follower *follower = context;

	message_queue_put(follower->messages, message_new(MESSAGE_HAS_ROWS, tenant_id, endpoint_id));
}

static int
send_rows(struct follower *follower, struct db *db, const char *tenant_id, struct error *err)
{
	struct row_scan scan = {.segment = follower->segment,
	    .courier = follower->courier,
	    .found = send_row,
	    .context = follower,
	    .of_tenant = true,
	    .tenant_id = mem_strdup(tenant_id)};
	bool more = true;
	int rc = 0;

	while (rc == 0 && more)
		rc = row_scan_step(&scan, db, &more, err);
	free(scan.tenant_id);
	return rc;
}

static int
look_at_tenant(struct follower *follower, struct db *db, const char *tenant_id, struct error *err)
{
	int64_t recent_ms = RECENT_MS + (clock_steady_us() - follower->changed_us) / 1000;
	struct db_rows *rows;
	int rc = endpoint_versions(db, tenant_id, recent_ms, &rows, err);

	if (rc != 0)
		return rc;
	known_endpoints_look(&follower->known);
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		compare_endpoint(follower, tenant_id, rows, row);
	known_endpoints_end_look(&follower->known, tenant_id);
	db_rows_free(rows);
	rc = cancels_send_since(follower->messages, db, tenant_id, follower->from, err);
	return rc == 0 ? send_rows(follower, db, tenant_id, err) : rc;
}

/* ---- steps ---- */

static void
set_place(struct follower *follower, int64_t version, const char *tenant_id)
{
	char *copy = mem_strdup(tenant_id);

	free(follower->place.tenant_id);
	follower->place.tenant_id = copy;
	follower->place.version = version;
}

static void
send_version(struct follower *follower)
{
	struct message *message = message_new(MESSAGE_CHANGED, NULL, NULL);

	message->version = follower->version = follower->target;
	message_queue_put(follower->messages, message);
	node_raise_changes_version(&follower->segment->header->node, follower->version);
	follower->changed_us = follower->looked_us;
	follower->state = FOLLOWER_RESTS;
}

static int
find_removed(struct follower *follower, struct db *db, struct error *err)
{
	struct db_rows *page;
	int rc = routed_tenants_after(db, follower->place.tenant_id, TENANTS_A_PAGE, &page, err);
	bool ends;

	if (rc != 0)
		return rc;
	ends = db_rows_count(page) < TENANTS_A_PAGE;
	known_endpoints_find_orphans(&follower->known, follower->place.tenant_id, page, ends);
	if (ends) {
		set_place(follower, follower->from + 1, "");
		follower->state = FOLLOWER_LOOKS_AT_TENANTS;
	} else {
		set_place(follower, 0, db_rows_text(page, TENANTS_A_PAGE - 1, 0).base);
	}
	db_rows_free(page);
	return 0;
}

static int
look_at_tenants(struct follower *follower, struct db *db, struct error *err)
{
	struct db_rows *rows;
	int64_t until_us = clock_steady_us() + TENANTS_US;
	int rc =
	    routing_moved_after(db, follower->place.version, follower->place.tenant_id, TENANTS_A_STEP, &rows, err);
	uint32_t row = 0, count = rc == 0 ? db_rows_count(rows) : 0;

	if (rc != 0)
		return rc;
	for (; rc == 0 && row < count && (row == 0 || clock_steady_us() < until_us); row++) {
		const char *tenant_id = db_rows_text(rows, row, 0).base;

		rc = look_at_tenant(follower, db, tenant_id, err);
		if (rc == 0)
			set_place(follower, db_rows_int(rows, row, 1), tenant_id);
	}
	if (rc == 0 && row == count && count < TENANTS_A_STEP)
		follower->state = FOLLOWER_READS_ENDPOINTS;
	db_rows_free(rows);
	return rc;
}

static int
read_endpoints(struct follower *follower, struct db *db, struct error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && follower->known.first != NULL && i < ENDPOINTS_A_STEP; i++) {
		const struct changed_endpoint *changed = follower->known.first;

		rc = send_endpoint(follower, db, changed->tenant_id, changed->endpoint_id, err);
		if (rc == 0)
			changed_endpoint_remove_first(&follower->known);
	}
	if (rc == 0 && follower->known.first == NULL)
		send_version(follower);
	return rc;
}

/* Begins the steps that follow from a look at the versions. */
static void
begin(struct follower *follower, const struct changes *changes)
{
	bool restored = changes->version < follower->version;

	follower->target = changes->version;
	follower->from = restored ? -1 : follower->version;
	if (!follower->started) {
		follower->started = true;
		send_version(follower);
	} else if (restored || changes->removed_version > follower->version) {
		set_place(follower, 0, "");
		follower->state = FOLLOWER_FINDS_REMOVED;
	} else {
		set_place(follower, follower->from + 1, "");
		follower->state = FOLLOWER_LOOKS_AT_TENANTS;
	}
}

static int
read_changes(struct follower *follower, struct db *db, struct error *err)
{
	int64_t now_us = clock_steady_us(), word = node_changes_version(&follower->segment->header->node);
	struct changes changes;
	struct node_row row;
	bool exists = node_read(&follower->segment->header->node, &row); /* before the version is read */
	int rc = changes_read(db, &changes, err);
	bool moved = rc == 0 && (!follower->started || follower->looks_anew || changes.version != follower->version);

	if (moved)
		rc = changes_settle(db, &changes, err);
	if (rc == 0)
		rc = node_watch_look(&follower->nodes, db, exists ? &row : &(struct node_row){0}, changes.version, err);
	if (rc == 0 && moved)
		rc = pause_watch_look(&follower->pauses, db, err);
	if (rc == 0 && moved)
		job_marker_end_pauses(follower->marker, &follower->pauses.sent);
	if (rc == 0 && !follower->started)
		rc = cancels_send_recent(follower->messages, db, RECENT_MS, err);
	if (rc == 0 && moved)
		rc = test_watch_look(&follower->tests, db, err);
	if (rc != 0)
		return rc;
	follower->looks_anew = false;
	follower->look_us = now_us + LOOK_US;
	follower->word = word;
	follower->looked_us = now_us;
	if (moved)
		begin(follower, &changes);
	else
		follower->changed_us = now_us;
	return 0;
}

void
follower_look_anew(struct follower *follower)
{
	follower->looks_anew = true;
}

bool
follower_has_looked(const struct follower *follower)
{
	return follower->started && !follower->looks_anew && follower->state == FOLLOWER_RESTS;
}

int64_t
follower_due_us(const struct follower *follower)
{
	int64_t word = node_changes_version(&follower->segment->header->node);
	bool moved = word > follower->version && word != follower->word;

	return follower->state != FOLLOWER_RESTS || follower->looks_anew || moved ? 0 : follower->look_us;
}

int
follower_step(struct follower *follower, struct db *db, struct error *err)
{
	switch (follower->state) {
	case FOLLOWER_RESTS:
		return read_changes(follower, db, err);
	case FOLLOWER_FINDS_REMOVED:
		return find_removed(follower, db, err);
	case FOLLOWER_LOOKS_AT_TENANTS:
		return look_at_tenants(follower, db, err);
	case FOLLOWER_READS_ENDPOINTS:
		return read_endpoints(follower, db, err);
	}
	return 0;
}
