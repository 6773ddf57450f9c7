/*
 * Changes of tenants are in the audit log of the caller's tenant, because the log of a deleted tenant is removed with
 * it. These rows remain after the deletion, so they contain neither the tenant's name nor its metadata.
 */
#include "control/tenants.h"

#include <string.h>

#include "base/mem.h"
#include "control/api_key.h"
#include "control/change.h"
#include "control/listing.h"
#include "control/propagation.h"
#include "control/tree.h"
#include "shm/attempts.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/tenants.h"

#define NAME_CHARS_MAX 255
#define METADATA_BYTES_MAX (64u << 10)

cJSON *
tenant_show(const struct db_rows *rows, uint32_t row)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, TENANT_COLUMN_ID));
	tree_add_text(tree, "tenant_id", db_rows_text(rows, row, TENANT_COLUMN_ID));
	tree_add_text(tree, "name", db_rows_text(rows, row, TENANT_COLUMN_NAME));
	tree_add_text(tree, "status", db_rows_text(rows, row, TENANT_COLUMN_STATUS));
	tree_add_json(tree, "metadata", db_rows_text(rows, row, TENANT_COLUMN_METADATA), "null");
	tree_add_int(tree, "api_key_count", db_rows_int(rows, row, TENANT_COLUMN_KEYS));
	tree_add_int(tree, "created_at", db_rows_int(rows, row, TENANT_COLUMN_CREATED_MS));
	tree_add_int(tree, "updated_at", db_rows_int(rows, row, TENANT_COLUMN_UPDATED_MS));
	return tree;
}

cJSON *
tenant_audited(const struct db_rows *rows, uint32_t row)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, TENANT_COLUMN_ID));
	tree_add_text(tree, "status", db_rows_text(rows, row, TENANT_COLUMN_STATUS));
	tree_add_int(tree, "created_at", db_rows_int(rows, row, TENANT_COLUMN_CREATED_MS));
	tree_add_int(tree, "updated_at", db_rows_int(rows, row, TENANT_COLUMN_UPDATED_MS));
	return tree;
}

bool
tenant_document_read(struct document *document, struct span tenant_id, struct span *name, struct span *metadata)
{
	static const struct document_lengths lengths = {1, NAME_CHARS_MAX, false};

	if (document_presence(document, "name") == DOCUMENT_NULL)
		*name = tenant_id;
	if (document_presence(document, "metadata") == DOCUMENT_NULL)
		*metadata = (struct span){NULL, 0};
	(void)document_string(document, "name", &lengths, name);
	(void)document_object(document, "metadata", METADATA_BYTES_MAX, metadata);
	return document->error->code == NULL;
}

static void
no_such_tenant(struct reply *reply)
{
	answer_error(reply, 404, "not_found", "there is no such tenant");
}

/* ---- GET ---- */

void
tenant_get(const struct request *request, struct reply *reply)
{
	struct db_rows *rows = NULL;
	struct error err;
	int rc = tenants_get(request->db, request->params[0].base, false, &rows, &err);

	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		no_such_tenant(reply);
	else
		answer_json(reply, 200, tenant_show(rows, 0));
	db_rows_free(rows);
}

static int
read_slice(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return tenants_list(request->db, slice, rows, err);
}

static cJSON *
show_row(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	return tenant_show(rows, row);
}

void
tenant_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 't', .of_names = true, .read = read_slice, .show = show_row};
	struct list_page page;
	struct error err;
	int64_t total;
	cJSON *tree;
	int rc;

	if (!list_page_read(request, &kind, &page, reply))
		return;
	rc = tenants_count(request->db, &total, &err);
	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
		return;
	}
	tree = list_collect(request, &kind, NULL, &page, reply);
	if (tree == NULL)
		return;
	tree_add(tree, "tenants", cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(tree, "items"), true));
	tree_add_int(tree, "total", total);
	answer_json(reply, 200, tree);
}

/* Attempts under way are in no row: couriers count them in the segment. */
uint32_t
tenant_in_flight(const struct segment *segment, struct span tenant_id)
{
	uint64_t tenant = tenant_hash(tenant_id);
	uint32_t count = 0;

	for (uint32_t i = 0; i < segment->counts[ROLE_COURIER]; i++)
		count += attempts_count(&segment_courier(segment, i)->attempts, tenant);
	return count;
}

void
tenant_stats(const struct request *request, struct reply *reply)
{
	static const char *const names[] = {
#define X(name) #name,
	    TENANT_FIGURES(X)
#undef X
	};
	struct db_rows *rows = NULL;
	struct error err;
	int rc = tenants_stats(request->db, request->params[0].base, &rows, &err);

	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
	} else if (db_rows_count(rows) == 0) {
		no_such_tenant(reply);
	} else {
		cJSON *tree = tree_new();

		tree_add_text(tree, "id", request->params[0]);
		tree_add_text(tree, "tenant_id", request->params[0]);
		for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
			tree_add_int(tree, names[i], db_rows_int(rows, 0, i));
		tree_add_int(tree, "in_flight", tenant_in_flight(request->context->segment, request->params[0]));
		answer_json(reply, 200, tree);
	}
	db_rows_free(rows);
}

/* ---- PATCH ---- */

static bool
same(const struct db_rows *old, const struct db_rows *rows, uint32_t column)
{
	struct span a = db_rows_text(old, 0, column), b = db_rows_text(rows, 0, column);

	return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

static cJSON *
changed_members(const struct db_rows *old, const struct db_rows *rows)
{
	cJSON *names = cJSON_CreateArray();

	if (names == NULL)
		mem_none(0);
	if (!same(old, rows, TENANT_COLUMN_NAME))
		(void)cJSON_AddItemToArray(names, cJSON_CreateString("name"));
	if (!same(old, rows, TENANT_COLUMN_METADATA))
		(void)cJSON_AddItemToArray(names, cJSON_CreateString("metadata"));
	return names;
}

/* The tenant exists and is locked. */
static int
change_tenant(const struct request *request, struct document *document, const struct db_rows *old, struct reply *reply,
    struct error *err)
{
	const char *id = request->params[0].base;
	const struct change change = {"tenant.update", "tenant", id, request->caller.tenant_id};
	struct span name = db_rows_text(old, 0, TENANT_COLUMN_NAME);
	struct span metadata = db_rows_text(old, 0, TENANT_COLUMN_METADATA);
	struct db_rows *rows = NULL;
	cJSON *before, *after;
	int rc;

	if (!tenant_document_read(document, request->params[0], &name, &metadata)) {
		answer_error(reply, 400, document->error->code, "%s", document->error->detail);
		return 0;
	}
	rc = tenants_update(request->db, id, name, metadata, err);
	if (rc == 0)
		rc = tenants_get(request->db, id, false, &rows, err);
	if (rc != 0)
		return rc;
	before = tenant_audited(old, 0);
	after = tenant_audited(rows, 0);
	tree_add(after, "changed", changed_members(old, rows));
	rc = change_audit(request, &change, before, after, err);
	cJSON_Delete(before);
	cJSON_Delete(after);
	if (rc == 0)
		answer_json(reply, 200, tenant_show(rows, 0));
	db_rows_free(rows);
	return rc;
}

static int
update(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct document *document = context;
	struct db_rows *rows = NULL;
	int rc = tenants_get(request->db, request->params[0].base, true, &rows, err);

	if (rc == 0 && db_rows_count(rows) == 0)
		no_such_tenant(reply);
	else if (rc == 0)
		rc = change_tenant(request, document, rows, reply, err);
	db_rows_free(rows);
	return rc;
}

void
tenant_update(const struct request *request, struct reply *reply)
{
	struct document_error error = {0};
	struct document document;

	if (document_open(&document, request->body, &error))
		(void)change_run(request, update, &document, reply);
	else
		answer_error(reply, 400, error.code, "%s", error.detail);
	document_close(&document);
}

/* ---- DELETE ---- */

/*
 * Marks the tenant as deleted and revokes its keys; upkeep removes its rows (store/webhooks/removal.h). If a tenant
 * deletes itself, the audit row goes to the tenant of the start keys. *version: couriers that act by it make no more
 * attempts for the tenant.
 */
static int
mark_deleted(const struct request *request, const struct db_rows *old, int64_t *version, struct error *err)
{
	const char *id = request->params[0].base;
	bool own = strcmp(id, request->caller.tenant_id) == 0;
	const struct change change = {
	    "tenant.delete", "tenant", id, own ? request->context->config->hl_tenant_id : request->caller.tenant_id};
	cJSON *before = tenant_audited(old, 0);
	int rc = tenants_delete(request->db, id, err);

	if (rc == 0)
		rc = api_keys_lock_all(request->db, id, err);
	if (rc == 0)
		rc = routing_raise(request->db, id, err);
	if (rc == 0)
		rc = change_audit(request, &change, before, NULL, err);
	if (rc == 0)
		rc = changes_raise(request->db, version, err);
	if (rc == 0)
		rc = api_keys_revoke_all(request->db, id, *version, err);
	cJSON_Delete(before);
	return rc;
}

static int delete (const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct db_rows *rows = NULL;
	int rc = tenants_get(request->db, request->params[0].base, true, &rows, err);

	if (rc == 0 && db_rows_count(rows) == 0) {
		no_such_tenant(reply);
	} else if (rc == 0) {
		rc = mark_deleted(request, rows, context, err);
		if (rc == 0)
			answer_nothing(reply);
	}
	db_rows_free(rows);
	return rc;
}

void
tenant_delete(const struct request *request, struct reply *reply)
{
	int64_t version;

	if (strcmp(request->params[0].base, request->context->config->hl_tenant_id) == 0) {
		answer_error(reply, 409, "conflict", "this is the tenant of the start keys (HL_TENANT_ID)");
		return;
	}
	if (!change_run(request, delete, &version, reply))
		return;
	api_keys_changed(request, reply);
	if (reply->status < 400)
		propagation_wait(request, version, reply);
}
