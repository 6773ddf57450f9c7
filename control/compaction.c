/*
 * The request only makes the tasks due, in the store. A run takes long; upkeep does it in turns (control/retention.c),
 * and after a death the next control or another node continues.
 */
#include "control/compaction.h"

#include "control/change.h"
#include "control/pauses.h"
#include "control/tree.h"
#include "store/webhooks/upkeep_rows.h"

/* A run covers all tenants, so a key of one tenant can start at most one a minute. */
#define TENANTS_LEAST_AGE_MS (60 * 1000)
/* A time written while the clock was wrong may be in the future. */
#define ANY_AGE_MS (-(INT64_C(1) << 50))

static int
ask(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	static const char message[] = "what is old is removed now: GET /v1/admin/stats tells when that has ended";
	const struct change change = {"store.compact", "installation", "", request->caller.tenant_id};
	const char *const *tenant_id = context;
	cJSON *tree;
	int rc = upkeep_ask_removal(request->db, *tenant_id == NULL ? ANY_AGE_MS : TENANTS_LEAST_AGE_MS, err);

	if (rc == 0)
		rc = change_audit(request, &change, NULL, NULL, err);
	if (rc != 0)
		return rc;
	tree = tree_new();
	tree_add_bool(tree, "ok", true);
	tree_add_text(tree, "message", (struct span){message, sizeof message - 1});
	answer_json(reply, 202, tree);
	return 0;
}

void
compact(const struct request *request, struct reply *reply)
{
	char query[QUERY_VALUE_BYTES];
	const char *tenant_id;

	if (request_has_no_members(request, reply) && admin_scope(request, &tenant_id, query, reply))
		(void)change_run(request, ask, &tenant_id, reply);
}

/* segments_deleted is always 0: tables have no segments, of which logs of other stores consist. */
int
compaction_show(const struct request *request, cJSON **tree, struct error *err)
{
	struct upkeep_run run = {0, 0};
	bool there;
	int rc = upkeep_read_run(request->db, &run, &there, err);

	if (rc != 0)
		return rc;
	*tree = tree_new();
	tree_add_int_or_null(*tree, "last_run_at", run.began_ms);
	tree_add_int(*tree, "segments_deleted", 0);
	if (there)
		tree_add_int(*tree, "duration_ms", run.ended_ms - run.began_ms);
	else
		tree_add(*tree, "duration_ms", cJSON_CreateNull());
	return 0;
}
