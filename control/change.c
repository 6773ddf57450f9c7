/* Begin, body, commit; repeated after a conflict with another session. */
#include "control/change.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/object_id.h"
#include "store/db.h"
#include "store/webhooks/audit.h"
#include "store/webhooks/tenants.h"

#define TRIES 5

/*
 * Locks the caller's tenant: a request under way when its tenant is deleted must leave nothing behind, because another
 * tenant may get the id. The tenant of a start key is never deleted. A request without a key has no tenant: its body
 * locks the tenant that it concerns.
 */
static int
hold_tenant(const struct request *request, struct reply *reply, struct error *err)
{
	bool exists = true;
	bool held = request->caller.is_start_key || request->caller.tenant_id[0] == '\0';
	int rc = held ? 0 : tenants_hold(request->db, request->caller.tenant_id, &exists, err);

	if (rc == 0 && !exists)
		answer_error(reply, 404, "not_found", "the tenant of this key has been deleted");
	return rc;
}

/* 0: committed, or rolled back because the body refused; otherwise as db_query(). */
static int
try_once(const struct request *request, change_body *body, void *context, struct reply *reply, struct error *err)
{
	int rc = db_begin(request->db, err);

	if (rc == 0)
		rc = hold_tenant(request, reply, err);
	if (rc == 0 && reply->status == 0)
		rc = body(request, context, reply, err);
	if (rc == 0) {
		assert(reply->status != 0);
		if (reply->status < 400)
			rc = db_commit(request->db, err);
		else
			db_rollback(request->db);
	}
	if (rc != 0)
		db_rollback(request->db);
	return rc;
}

bool
change_run(const struct request *request, change_body *body, void *context, struct reply *reply)
{
	struct error err;
	int rc;

	for (int tries = 1;; tries++) {
		rc = try_once(request, body, context, reply, &err);
		if (rc == 0)
			return reply->status < 400;
		reply_reset(reply);
		if (rc != DB_BUSY || tries == TRIES || clock_steady_us() >= request->deadline_us)
			break;
	}
	answer_store_failed(reply, rc, &err);
	return false;
}

static char *
print(const cJSON *tree)
{
	char *text = tree != NULL ? cJSON_PrintUnformatted(tree) : NULL;

	if (tree != NULL && text == NULL)
		mem_none(0);
	return text;
}

int
change_audit(const struct request *request, const struct change *change, const cJSON *before, const cJSON *after,
    struct error *err)
{
	char id[OBJECT_ID_BYTES], *before_text = print(before), *after_text = print(after);
	const struct audit_entry entry = {
	    .tenant_id = change->tenant_id,
	    .audit_id = id,
	    .key_id = request->caller.key_id,
	    .key_name = request->caller.key_name[0] != '\0' ? request->caller.key_name : NULL,
	    .action = change->action,
	    .object_kind = change->object_kind,
	    .object_id = change->object_id,
	    .before = {before_text, before_text != NULL ? strlen(before_text) : 0},
	    .after = {after_text, after_text != NULL ? strlen(after_text) : 0},
	};
	int rc;

	object_id_make(id);
	rc = audit_add(request->db, &entry, err);
	cJSON_free(before_text);
	cJSON_free(after_text);
	return rc;
}

int
change_removed(
    const struct request *request, const struct change *change, cJSON *before, struct reply *reply, struct error *err)
{
	int rc = change_audit(request, change, before, NULL, err);

	if (rc == 0)
		answer_nothing(reply);
	cJSON_Delete(before);
	return rc;
}
