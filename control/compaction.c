/*
 * A run over all tenants takes long. The request only makes its tasks due, in the store: upkeep does it in turns
 * (control/retention.c), and a control that dies leaves it to the next one or to another node. What is old of one
 * tenant goes in the request itself, as far as its time suffices: the next run removes the rest.
 */
#include "control/compaction.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/change.h"
#include "control/pauses.h"
#include "control/retention.h"
#include "control/tree.h"
#include "store/webhooks/store_clock.h"
#include "store/webhooks/tenants.h"
#include "store/webhooks/upkeep_rows.h"

#define WORK_US (2 * 1000 * 1000)
/* These rows take a few hundredths of a second, during which nobody else writes to SQLite. */
#define SLICE_ROWS 500

static int
answer(
    const struct request *request, const char *tenant_id, const char *message, struct reply *reply, struct error *err)
{
	const struct change change = {"store.compact", tenant_id != NULL ? "tenant" : "installation",
	    tenant_id != NULL ? tenant_id : "", tenant_id != NULL ? tenant_id : request->caller.tenant_id};
	cJSON *tree;
	int rc = change_audit(request, &change, NULL, NULL, err);

	if (rc != 0)
		return rc;
	tree = tree_new();
	tree_add_bool(tree, "ok", true);
	tree_add_text(tree, "message", (struct span){message, strlen(message)});
	answer_json(reply, 202, tree);
	return 0;
}

/* ---- all tenants ---- */

static int
ask(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	int rc = upkeep_ask_removal(request->db, err);

	return rc != 0 ? rc
		       : answer(request, NULL,
			     "what is old is removed now: GET /v1/admin/stats tells when that has ended", reply, err);
}

/* ---- one tenant ---- */

struct removing {
	const char *tenant_id;
	int64_t now_ms; /* by the store's clock */
	int64_t until_us; /* steady */
	bool is_late; /* old rows are left */
};

static int
remove_old(const struct request *request, struct removing *removing, enum retention_table table, struct error *err)
{
	int64_t before_ms = retention_rows_before_ms(request->context->config, table, removing->now_ms);
	struct retention_run run = {.table = table, .before_ms = before_ms, .in_tenant = before_ms != 0};
	uint32_t removed;
	int rc = 0;

	run.tenant_id = mem_strdup(removing->tenant_id);
	while (rc == 0 && run.in_tenant && !removing->is_late) {
		rc = retention_slice(request->db, &run, SLICE_ROWS, &removed, err);
		removing->is_late = run.in_tenant && clock_steady_us() >= removing->until_us;
	}
	retention_run_free(&run);
	return rc;
}

static int
answer_removed(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct removing *removing = context;
	bool there;
	int rc = tenants_hold(request->db, removing->tenant_id, &there, err);

	if (rc == 0 && !there)
		answer_error(reply, 404, "not_found", "there is no such tenant");
	if (rc != 0 || !there)
		return rc;
	return answer(request, removing->tenant_id,
	    removing->is_late
		? "much that is old is removed, and what is left goes within the hour, or if you ask again"
		: "what is old of the tenant is removed",
	    reply, err);
}

static void
compact_tenant(const struct request *request, const char *tenant_id, struct reply *reply)
{
	struct removing removing = {.tenant_id = tenant_id, .until_us = clock_steady_us() + WORK_US};
	struct error err;
	int rc = store_clock_now(request->db, &removing.now_ms, &err);

	if (rc == 0)
		rc = remove_old(request, &removing, RETENTION_EVENTS, &err);
	if (rc == 0)
		rc = remove_old(request, &removing, RETENTION_ATTEMPTS, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else
		(void)change_run(request, answer_removed, &removing, reply);
}

/* ---- both ---- */

void
compact(const struct request *request, struct reply *reply)
{
	char query[QUERY_VALUE_BYTES];
	const char *tenant_id;

	if (!request_has_no_members(request, reply) || !admin_scope(request, &tenant_id, query, reply))
		return;
	if (tenant_id != NULL)
		compact_tenant(request, tenant_id, reply);
	else
		(void)change_run(request, ask, NULL, reply);
}

/* segments_deleted is always 0: tables have no segments, of which logs of other stores consist. */
int
compaction_show(const struct request *request, cJSON **tree, struct error *err)
{
	struct upkeep_run run = {0, 0};
	bool exists;
	int rc = upkeep_read_run(request->db, &run, &exists, err);

	if (rc != 0)
		return rc;
	*tree = tree_new();
	tree_add_int_or_null(*tree, "last_run_at", run.began_ms);
	tree_add_int(*tree, "segments_deleted", 0);
	if (exists)
		tree_add_int(*tree, "duration_ms", run.ended_ms - run.began_ms);
	else
		tree_add(*tree, "duration_ms", cJSON_CreateNull());
	return 0;
}
