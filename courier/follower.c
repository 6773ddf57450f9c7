/*
 * changes.version is read first, then what it stands for: rows may be newer than the version that is told, never older.
 * An endpoint that is not known, because it has no jobs in memory, is told also when it has changed of late: the change
 * may have put jobs into rows. Of late is two minutes, because a transaction's time is that of its beginning.
 * hooksctl puts jobs into rows and changes no endpoint: so, when a tenant's version has moved, all its endpoints that
 * have rows are told.
 */
#include "courier/follower.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "courier/cancels.h"
#include "courier/endpoint_reader.h"
#include "courier/id_table.h"
#include "courier/pause_watch.h"
#include "courier/tenant_versions.h"
#include "courier/test_watch.h"
#include "event/handover.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoint_changes.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"

#define LOOK_US (500 * 1000)
#define RECENT_MS (2 * 60 * 1000)
#define ENDPOINTS_A_STEP 20
#define ENDPOINTS_WITH_ROWS 50 /* at once */

/* What is known of an endpoint that the loop has asked for. */
struct known {
	struct id_link link; /* first */
	char *tenant_id;
	int64_t version;
	bool there, holds;
	int64_t lifetime_ms;
	uint32_t seen; /* the look that has found it last */
};

/* An endpoint that is to be read. */
struct changed {
	struct changed *next;
	char *tenant_id;
	uint8_t endpoint_id[16];
};

struct follower {
	const struct segment *segment;
	uint32_t courier;
	struct news_queue *news;
	struct holder *holder;
	struct endpoint_reader endpoints;
	struct id_table known;
	struct tenant_versions tenants;
	struct pause_watch pauses;
	struct test_watch tests;
	struct changed *first, **end;
	bool started; /* the first look is over */
	bool looks_anew; /* the next look is to be made whatever the version is */
	int64_t version, target; /* told, and to be told when the list is empty */
	int64_t word; /* of the segment, at the last look */
	int64_t looked_us, look_us; /* steady: the last look, the next one */
	uint32_t looks;
};

struct follower *
follower_new(const struct config *config, const struct segment *segment, uint32_t courier, struct news_queue *news,
    struct holder *holder)
{
	struct follower *follower = mem_new(1, sizeof *follower);

	follower->segment = segment;
	follower->courier = courier;
	follower->news = news;
	follower->holder = holder;
	follower->pauses = (struct pause_watch){.segment = segment, .courier = courier, .news = news};
	follower->end = &follower->first;
	endpoint_reader_open(&follower->endpoints, config);
	follower->tests = (struct test_watch){
	    .segment = segment, .courier = courier, .news = news, .endpoints = &follower->endpoints};
	return follower;
}

static void
remove_known(struct follower *follower, struct known *known)
{
	id_table_remove(&follower->known, &known->link);
	free(known->tenant_id);
	free(known);
}

static void
remove_first(struct follower *follower)
{
	struct changed *changed = follower->first;

	follower->first = changed->next;
	if (follower->first == NULL)
		follower->end = &follower->first;
	free(changed->tenant_id);
	free(changed);
}

void
follower_free(struct follower *follower)
{
	struct id_link **links = id_table_list(&follower->known);

	for (uint32_t left = follower->known.count; left > 0; left--)
		remove_known(follower, (struct known *)links[left - 1]);
	free(links);
	while (follower->first != NULL)
		remove_first(follower);
	id_table_free(&follower->known);
	tenant_versions_free(&follower->tenants);
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

/* What is held stays so while the tenant is paused. */
static void
hold_if_changed(struct follower *follower, const struct endpoint_config *endpoint, const struct known *known)
{
	bool by_itself = endpoint_holds(endpoint),
	     holds = by_itself || follower_has_paused(follower, endpoint->tenant_id);
	const struct hold hold = {.tenant_id = endpoint->tenant_id,
	    .endpoint_id = endpoint->endpoint_id,
	    .holds = holds,
	    .by_pause = holds && !by_itself,
	    .lifetime_ms = endpoint_lifetime_ms(endpoint)};

	/* Of one that was not known, a page tells when its jobs are held although they should not be. */
	if ((known != NULL && known->there ? known->holds != holds : holds) ||
	    holder_has(follower->holder, endpoint->endpoint_id))
		holder_add(follower->holder, &hold);
}

static void
remember(struct known *known, const struct endpoint_config *endpoint)
{
	known->there = endpoint != NULL;
	if (endpoint == NULL)
		return;
	known->version = endpoint->version;
	known->holds = endpoint_holds(endpoint);
	known->lifetime_ms = endpoint_lifetime_ms(endpoint);
}

/* Reads it and tells it. */
static int
tell_endpoint(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err)
{
	struct known *known = (struct known *)id_table_find(&follower->known, endpoint_id);
	struct endpoint_config *endpoint;
	struct news *news;
	int rc = endpoint_read(&follower->endpoints, db, tenant_id, endpoint_id, &endpoint, err);

	if (rc != 0)
		return rc;
	if (endpoint != NULL)
		hold_if_changed(follower, endpoint, known);
	if (known != NULL)
		remember(known, endpoint);
	news = news_new(NEWS_ENDPOINT, tenant_id, endpoint_id);
	news->config = endpoint;
	news_put(follower->news, news);
	return 0;
}

int
follower_load(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err)
{
	if (id_table_find(&follower->known, endpoint_id) == NULL) {
		struct known *known = mem_new(1, sizeof *known);

		memcpy(known->link.id, endpoint_id, 16);
		known->tenant_id = mem_strdup(tenant_id);
		id_table_add(&follower->known, &known->link);
	}
	return tell_endpoint(follower, db, tenant_id, endpoint_id, err);
}

void
follower_forget(struct follower *follower, const uint8_t endpoint_id[16])
{
	struct known *known = (struct known *)id_table_find(&follower->known, endpoint_id);

	if (known != NULL)
		remove_known(follower, known);
}

void
follower_note_page(
    struct follower *follower, const uint8_t endpoint_id[16], const uint8_t after[16], const struct page_marks *marks)
{
	const struct known *known = (const struct known *)id_table_find(&follower->known, endpoint_id);

	if (known == NULL || !known->there)
		return;
	bool holds = known->holds || follower_has_paused(follower, known->tenant_id);
	const struct hold hold = {
	    known->tenant_id, known->link.id, holds, holds && !known->holds, known->lifetime_ms, after};
	if (!(holds ? marks->any_pending : marks->any_held))
		return;
	holder_add(follower->holder, &hold);
}

/* ---- changes ---- */

static void
add_changed(struct follower *follower, const char *tenant_id, const uint8_t endpoint_id[16])
{
	struct changed *changed = mem_new(1, sizeof *changed);

	changed->tenant_id = mem_strdup(tenant_id);
	memcpy(changed->endpoint_id, endpoint_id, 16);
	*follower->end = changed;
	follower->end = &changed->next;
}

/* One look: what it goes through, and whether it has failed. */
struct look {
	struct follower *follower;
	struct db *db;
	int64_t recent_ms;
	int rc;
	struct error *err;
};

static bool
is_mine(const struct follower *follower, const uint8_t endpoint_id[16])
{
	return handover_courier(endpoint_id, follower->segment->counts[ROLE_COURIER]) == follower->courier;
}

static void
compare_endpoint(struct look *look, const char *tenant_id, const struct db_rows *rows, uint32_t row)
{
	struct span text = db_rows_text(rows, row, 0);
	struct known *known;
	uint8_t id[16];

	if (!uuid_parse(text.base, text.len, id) || !is_mine(look->follower, id))
		return;
	known = (struct known *)id_table_find(&look->follower->known, id);
	if (known != NULL)
		known->seen = look->follower->looks;
	if (db_rows_bool(rows, row, 2) ||
	    (known != NULL && (!known->there || known->version != db_rows_int(rows, row, 1))))
		add_changed(look->follower, tenant_id, id);
}

/* Those of the tenant that are there no more. */
static void
add_missing(struct look *look, const char *tenant_id)
{
	struct id_link **links = id_table_list(&look->follower->known);

	for (uint32_t i = 0; i < look->follower->known.count; i++) {
		const struct known *known = (const struct known *)links[i];

		if (known->there && known->seen != look->follower->looks && strcmp(known->tenant_id, tenant_id) == 0)
			add_changed(look->follower, tenant_id, known->link.id);
	}
	free(links);
}

/* Tells endpoints that have rows. after is set to the last one. Returns whether the tenant may have more of them. */
static bool
tell_slice(const struct follower *follower, const char *tenant_id, const struct db_rows *rows, uint8_t after[16])
{
	uint32_t count = db_rows_count(rows);

	for (uint32_t row = 0; row < count; row++) {
		struct span id = db_rows_text(rows, row, 1);

		if (strcmp(db_rows_text(rows, row, 0).base, tenant_id) != 0 || !uuid_parse(id.base, id.len, after))
			return false;
		if (is_mine(follower, after))
			news_put(follower->news, news_new(NEWS_HAS_ROWS, tenant_id, after));
	}
	return count == ENDPOINTS_WITH_ROWS;
}

static int
tell_rows(const struct look *look, const char *tenant_id)
{
	uint8_t after[16] = {0};
	bool more = true;
	int rc = jobs_begin(look->db, look->err);

	while (rc == 0 && more) {
		struct db_rows *rows;

		rc = job_rows_walk(look->db, tenant_id, after, ENDPOINTS_WITH_ROWS, &rows, look->err);
		if (rc != 0)
			break;
		more = tell_slice(look->follower, tenant_id, rows, after);
		db_rows_free(rows);
	}
	return db_end(look->db, rc, look->err);
}

static void
look_at_tenant(void *context, const char *tenant_id)
{
	struct look *look = context;
	struct db_rows *rows;

	if (look->rc == 0)
		look->rc = endpoint_versions(look->db, tenant_id, look->recent_ms, &rows, look->err);
	if (look->rc != 0)
		return;
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		compare_endpoint(look, tenant_id, rows, row);
	db_rows_free(rows);
	add_missing(look, tenant_id);
	look->rc = cancels_tell_since(look->follower->news, look->db, tenant_id, look->follower->version, look->err);
	if (look->rc == 0)
		look->rc = tell_rows(look, tenant_id);
}

/* Finds out what has changed since the last look, for the version that was read before. */
static int
look_at_all(struct follower *follower, struct db *db, int64_t now_us, struct error *err)
{
	struct look look = {
	    .follower = follower, .db = db, .recent_ms = RECENT_MS + (now_us - follower->looked_us) / 1000, .err = err};
	struct tenant_versions tenants = {0};
	int rc = tenant_versions_read(&tenants, db, err);

	if (rc != 0)
		return rc;
	follower->looks++;
	if (follower->started)
		tenant_versions_compare(&follower->tenants, &tenants, look_at_tenant, &look);
	else
		look.rc = cancels_tell_recent(follower->news, db, RECENT_MS, err);
	if (look.rc == 0) {
		struct tenant_versions old = follower->tenants;

		follower->tenants = tenants;
		tenants = old;
		follower->looked_us = now_us;
		follower->started = true;
	}
	tenant_versions_free(&tenants);
	return look.rc;
}

static void
tell_version(struct follower *follower)
{
	struct news *news = news_new(NEWS_CHANGED, NULL, NULL);

	news->version = follower->version = follower->target;
	news_put(follower->news, news);
	node_raise_changes_version(&follower->segment->header->node, follower->version);
}

static int
look(struct follower *follower, struct db *db, struct error *err)
{
	int64_t now_us = clock_steady_us(), word = node_changes_version(&follower->segment->header->node), version;
	int rc = changes_version(db, &version, err);

	if (rc == 0 && (!follower->started || follower->looks_anew || version != follower->version)) {
		rc = pause_watch_look(&follower->pauses, db, err);
		if (rc == 0)
			holder_end_pauses(follower->holder, &follower->pauses.told);
		if (rc == 0)
			rc = look_at_all(follower, db, now_us, err);
		if (rc == 0)
			rc = test_watch_look(&follower->tests, db, err);
		if (rc == 0)
			follower->target = version;
		if (rc == 0 && follower->first == NULL)
			tell_version(follower);
	}
	if (rc == 0) {
		follower->looks_anew = false;
		follower->look_us = now_us + LOOK_US;
		follower->word = word;
	}
	return rc;
}

void
follower_look_anew(struct follower *follower)
{
	follower->looks_anew = true;
}

bool
follower_has_looked(const struct follower *follower)
{
	return follower->started && !follower->looks_anew && follower->first == NULL;
}

int64_t
follower_due_us(const struct follower *follower)
{
	int64_t word = node_changes_version(&follower->segment->header->node);
	bool moved = word > follower->version && word != follower->word;

	return follower->first != NULL || follower->looks_anew || moved ? 0 : follower->look_us;
}

int
follower_step(struct follower *follower, struct db *db, struct error *err)
{
	int rc = 0;

	if (follower->first == NULL)
		return look(follower, db, err);
	for (int i = 0; rc == 0 && follower->first != NULL && i < ENDPOINTS_A_STEP; i++) {
		rc = tell_endpoint(follower, db, follower->first->tenant_id, follower->first->endpoint_id, err);
		if (rc == 0)
			remove_first(follower);
	}
	if (rc == 0 && follower->first == NULL)
		tell_version(follower);
	return rc;
}
