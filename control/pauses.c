/* A pause reaches publishers by routing_versions, and couriers by the version of changes. */
#include "control/pauses.h"

#include <string.h>

#include "api/document.h"
#include "api/scopes.h"
#include "config/text_rules.h"
#include "control/change.h"
#include "control/propagation.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/tenants.h"

#define REASON_CHARS_MAX 255

struct pausing {
	const char *tenant_id; /* NULL: all tenants */
	bool pauses; /* false: resumes */
	struct span reason; /* base NULL: none */
	int64_t version; /* version of changes raised by the transaction */
};

bool
admin_scope(const struct request *request, const char **tenant_id, char out[QUERY_VALUE_BYTES], struct reply *reply)
{
	bool named = query_value(request, "tenant_id", out);

	/* A variable of a script that is not set must not mean all tenants. */
	if (!named && query_names(request, "tenant_id")) {
		answer_error(
		    reply, 400, "validation_error", "query: tenant_id has no value: leave it out for all tenants");
		return false;
	}
	*tenant_id = named ? out : NULL;
	if (scopes_allow(request->caller.scopes, SCOPE_ADMIN))
		return true;
	if (named && strcmp(out, request->caller.tenant_id) != 0) {
		answer_error(reply, 404, "not_found", "there is no such tenant");
		return false;
	}
	*tenant_id = request->caller.tenant_id;
	return true;
}

/* ---- present pauses ---- */

static int
is_paused(const struct request *request, const char *key, bool *paused, struct error *err)
{
	struct db_rows *rows = NULL;
	int rc = pause_rows_get(request->db, key, &rows, err);

	*paused = rc == 0 && db_rows_count(rows) > 0;
	db_rows_free(rows);
	return rc;
}

int
pause_holds(const struct request *request, const char *tenant_id, bool *holds, struct error *err)
{
	int rc = is_paused(request, PAUSE_OF_ALL, holds, err);

	return rc != 0 || *holds || tenant_id == NULL ? rc : is_paused(request, tenant_id, holds, err);
}

/* Shows the pause for the audit log; *tree NULL: there is none. */
static int
show(const struct request *request, const char *key, cJSON **tree, struct error *err)
{
	struct db_rows *rows = NULL;
	int rc = pause_rows_get(request->db, key, &rows, err);

	*tree = NULL;
	if (rc == 0 && db_rows_count(rows) > 0) {
		*tree = tree_new();
		tree_add_text(*tree, "tenant_id", db_rows_text(rows, 0, PAUSE_COLUMN_TENANT_ID));
		tree_add_text(*tree, "reason", db_rows_text(rows, 0, PAUSE_COLUMN_REASON));
		tree_add_text(*tree, "paused_by", db_rows_text(rows, 0, PAUSE_COLUMN_PAUSED_BY));
		tree_add_int(*tree, "paused_at", db_rows_int(rows, 0, PAUSE_COLUMN_PAUSED_MS));
	}
	db_rows_free(rows);
	return rc;
}

/* ---- changes ---- */

static int
set(const struct request *request, const struct pausing *pausing, const char *key, struct error *err)
{
	return pausing->pauses ? pause_rows_set(request->db, key, pausing->reason, request->caller.key_id, err)
			       : pause_rows_end(request->db, key, err);
}

static int
change_row(const struct request *request, const struct pausing *pausing, const char *key, struct error *err)
{
	const struct change change = {pausing->pauses ? "deliveries.pause" : "deliveries.resume", "pause", key,
	    pausing->tenant_id != NULL ? pausing->tenant_id : request->caller.tenant_id};
	cJSON *before, *after = NULL;
	int rc = show(request, key, &before, err);

	if (rc == 0)
		rc = set(request, pausing, key, err);
	if (rc == 0)
		rc = show(request, key, &after, err);
	if (rc == 0)
		rc = change_audit(request, &change, before, after, err);
	cJSON_Delete(before);
	cJSON_Delete(after);
	return rc;
}

static int
raise_versions(const struct request *request, struct pausing *pausing, struct error *err)
{
	int rc = pausing->tenant_id == NULL ? routing_raise_all(request->db, err)
					    : routing_raise(request->db, pausing->tenant_id, err);

	return rc == 0 ? changes_raise(request->db, &pausing->version, err) : rc;
}

static void
answer(bool paused, struct reply *reply)
{
	cJSON *tree = tree_new();

	tree_add_bool(tree, "ok", true);
	tree_add_bool(tree, "paused", paused);
	answer_json(reply, 200, tree);
}

static int
run(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct pausing *pausing = context;
	const char *key = pausing->tenant_id != NULL ? pausing->tenant_id : PAUSE_OF_ALL;
	bool exists = true, paused = false;
	int rc = pausing->tenant_id == NULL ? 0 : tenants_hold(request->db, pausing->tenant_id, &exists, err);

	if (rc == 0 && !exists) {
		answer_error(reply, 404, "not_found", "there is no such tenant");
		return 0;
	}
	if (rc == 0)
		rc = change_row(request, pausing, key, err);
	if (rc == 0)
		rc = pause_holds(request, pausing->tenant_id, &paused, err);
	if (rc == 0)
		rc = raise_versions(request, pausing, err);
	if (rc == 0)
		answer(paused, reply);
	return rc;
}

/* ---- the requests ---- */

/* Reads the body; a tenant in it must be that of the query. false: the reply says what is wrong. */
static bool
read_body(const struct request *request, struct document *document, struct pausing *pausing,
    char out[TENANT_ID_MAX + 1], struct reply *reply)
{
	static const struct document_lengths ids = {1, TENANT_ID_MAX, false}, reasons = {1, REASON_CHARS_MAX, false};
	struct span named = {NULL, 0};

	(void)document_string(document, "reason", &reasons, &pausing->reason);
	if (document_presence(document, "tenant_id") == DOCUMENT_NULL)
		(void)document_refuse(document, "tenant_id", "must not be null: leave it out for all tenants");
	if (document_string(document, "tenant_id", &ids, &named)) {
		if (text_is_tenant(named.base, named.len))
			memcpy(mempcpy(out, named.base, named.len), "", 1);
		else
			(void)document_refuse(
			    document, "tenant_id", "must have letters, digits, '_', '.' and '-' only");
	}
	for (size_t i = 0; i < document->count; i++)
		if (!document->members[i].known) /* a misspelt "tenant_id" must not mean all tenants */
			(void)document_refuse(document, NULL, "has a member that is none of tenant_id and reason");
	if (document->error->code != NULL) {
		answer_error(reply, 400, document->error->code, "%s", document->error->detail);
		return false;
	}
	if (named.base == NULL)
		return true;
	if (pausing->tenant_id != NULL && strcmp(out, pausing->tenant_id) != 0) {
		if (scopes_allow(request->caller.scopes, SCOPE_ADMIN))
			answer_error(
			    reply, 400, "validation_error", "tenant_id: is not the tenant that the query names");
		else
			answer_error(reply, 404, "not_found", "there is no such tenant");
		return false;
	}
	pausing->tenant_id = out;
	return true;
}

static void
change_pause(const struct request *request, bool pauses, struct reply *reply)
{
	char query[QUERY_VALUE_BYTES], named[TENANT_ID_MAX + 1];
	struct pausing pausing = {.pauses = pauses, .reason = {NULL, 0}};
	static const char *const names[] = {"tenant_id", NULL};
	struct document_error error = {0};
	struct document document;

	if (!document_open(&document, request->body, &error))
		answer_error(reply, 400, error.code, "%s", error.detail);
	else if (query_has_only(request, names, reply) && admin_scope(request, &pausing.tenant_id, query, reply) &&
		 read_body(request, &document, &pausing, named, reply) && change_run(request, run, &pausing, reply))
		propagation_wait(request, pausing.version, reply);
	document_close(&document);
}

void
deliveries_pause(const struct request *request, struct reply *reply)
{
	change_pause(request, true, reply);
}

void
deliveries_resume(const struct request *request, struct reply *reply)
{
	change_pause(request, false, reply);
}
