/* Every caller has the scope admin (api/operation_list.def), and may see and change the keys of every tenant. */
#include "control/api_keys.h"

#include <string.h>

#include "api/scopes.h"
#include "config/text_rules.h"
#include "control/api_key.h"
#include "control/change.h"
#include "control/listing.h"
#include "control/query.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/tenants.h"

/* Whether the operation is one of /v1/tenants/{id}/api-keys. */
static bool
is_of_tenant(const struct request *request)
{
	return request->operation == OPERATION_TENANT_KEY_CREATE || request->operation == OPERATION_TENANT_KEY_LIST ||
	       request->operation == OPERATION_TENANT_KEY_REVOKE;
}

static int
no_such_tenant(struct reply *reply)
{
	answer_error(reply, 404, "not_found", "there is no such tenant");
	return 0;
}

static int
no_such_key(struct reply *reply)
{
	answer_error(reply, 404, "not_found", "there is no such key");
	return 0;
}

/* The tenant in the path or the query, otherwise the caller's. out: room for a name from the query. */
static const char *
tenant_of(const struct request *request, char out[QUERY_VALUE_BYTES])
{
	if (is_of_tenant(request))
		return request->params[0].base;
	return query_value(request, "tenant_id", out) ? out : request->caller.tenant_id;
}

/* Reads the key's id from the path. false: no such key can exist. */
static bool
key_of(const struct request *request, char id[OBJECT_ID_BYTES])
{
	return object_id_read(request->params[is_of_tenant(request)], id);
}

/* ---- POST ---- */

struct making {
	struct new_api_key key;
	const char *tenant_id;
	struct api_key_terms terms;
};

static int
make(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct making *making = context;
	struct db_rows *rows = NULL;
	bool exists = false;
	int rc = tenants_hold(request->db, making->tenant_id, &exists, err);

	if (rc == 0 && !exists)
		return no_such_tenant(reply);
	if (rc == 0)
		rc = api_key_store(request, &making->key, making->tenant_id, &making->terms, &rows, err);
	if (rc == 0) {
		struct api_key_row stored = api_key_of_row(rows, 0);
		cJSON *tree = api_key_show(&stored);

		tree_add_text(tree, "key", (struct span){making->key.text, API_KEY_BYTES - 1});
		tree_add_text(tree, "token", (struct span){making->key.text, API_KEY_BYTES - 1});
		answer_json(reply, 201, tree);
	}
	db_rows_free(rows);
	return rc;
}

/* Reads the tenant from the body; it overrides the query's. out: room for it. */
static void
read_tenant(
    const struct request *request, struct document *document, const char **tenant_id, char out[TENANT_ID_MAX + 1])
{
	static const struct document_lengths lengths = {1, TENANT_ID_MAX, false};
	char ignored[QUERY_VALUE_BYTES];
	struct span named;

	if (!document_string(document, "tenant_id", &lengths, &named))
		return;
	if (!text_is_tenant(named.base, named.len)) {
		(void)document_refuse(document, "tenant_id", "must have letters, digits, '_', '.' and '-' only");
		return;
	}
	memcpy(out, named.base, named.len);
	out[named.len] = '\0';
	if ((is_of_tenant(request) || query_value(request, "tenant_id", ignored)) && strcmp(out, *tenant_id) != 0)
		(void)document_refuse(document, "tenant_id", "is not the tenant that the path or the query names");
	*tenant_id = out;
}

void
key_create(const struct request *request, struct reply *reply)
{
	char query[QUERY_VALUE_BYTES], named[TENANT_ID_MAX + 1];
	struct making making = {.tenant_id = tenant_of(request, query), .terms = {.scopes = {"[\"*\"]", 5}}};
	struct document_error error = {0};
	struct document document;
	struct bytes scopes = {0};

	(void)document_open(&document, request->body, &error);
	read_tenant(request, &document, &making.tenant_id, named);
	if (!api_key_terms_read(&document, &making.terms, &scopes) || error.code != NULL) {
		answer_error(reply, 400, error.code, "%s", error.detail);
	} else if (api_key_terms_allowed(request, &making.terms, reply)) {
		new_api_key_make(&making.key);
		if (change_run(request, make, &making, reply))
			api_keys_changed(request, reply);
		explicit_bzero(&making.key, sizeof making.key);
	}
	document_close(&document);
	bytes_free(&scopes);
}

/* ---- GET ---- */

static int
read_slice(const struct request *request, const void *tenant_id, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return api_keys_list(request->db, tenant_id, slice, rows, err);
}

static cJSON *
show_row(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	struct api_key_row key = api_key_of_row(rows, row);

	return api_key_show(&key);
}

void
key_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'k', .read = read_slice, .show = show_row};
	char query[QUERY_VALUE_BYTES];
	const char *tenant_id = tenant_of(request, query);
	struct db_rows *rows = NULL;
	struct error err;
	int rc = 0;

	/* The caller's own tenant exists: its key is valid. */
	if (tenant_id != request->caller.tenant_id)
		rc = tenants_get(request->db, tenant_id, false, &rows, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (tenant_id != request->caller.tenant_id && db_rows_count(rows) == 0)
		(void)no_such_tenant(reply);
	else
		list_answer(request, &kind, tenant_id, reply);
	db_rows_free(rows);
}

void
key_get(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];
	struct db_rows *rows = NULL;
	struct error err;
	int rc = key_of(request, id) ? api_keys_get(request->db, NULL, id, false, &rows, &err) : 0;

	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		(void)no_such_key(reply);
	else
		answer_json(reply, 200, show_row(request, rows, 0));
	db_rows_free(rows);
}

/* ---- PATCH ---- */

/* Whether a key removes the scope admin from itself: perhaps no key could restore it. */
static bool
takes_own_admin(const struct request *request, const struct api_key_row *before, const struct api_key_terms *terms)
{
	return strcmp(before->id.base, request->caller.key_id) == 0 &&
	       scopes_allow(api_key_scope_bits(&before->terms), SCOPE_ADMIN) &&
	       !scopes_allow(api_key_scope_bits(terms), SCOPE_ADMIN);
}

/* Writes the terms, and answers with the stored key. */
static int
write_terms(const struct request *request, const struct api_key_row *before, const struct api_key_terms *terms,
    struct reply *reply, struct error *err)
{
	const struct change change = {"key.update", "key", before->id.base, before->tenant_id.base};
	struct db_rows *rows = NULL;
	int64_t version;
	int rc = changes_raise(request->db, &version, err);

	if (rc == 0)
		rc = api_keys_update(request->db, before, terms, version, err);
	if (rc == 0)
		rc = api_keys_get(request->db, before->tenant_id.base, before->id.base, false, &rows, err);
	if (rc == 0) {
		cJSON *old = api_key_show(before), *new = show_row(request, rows, 0);

		rc = change_audit(request, &change, old, new, err);
		cJSON_Delete(old);
		if (rc == 0)
			answer_json(reply, 200, new);
		else
			cJSON_Delete(new);
	}
	db_rows_free(rows);
	return rc;
}

static int
change_key(const struct request *request, struct document *document, const struct api_key_row *before,
    struct reply *reply, struct error *err)
{
	struct api_key_terms terms = before->terms;
	struct bytes scopes = {0};
	int rc = 0;

	if (!api_key_terms_read(document, &terms, &scopes))
		answer_error(reply, 400, document->error->code, "%s", document->error->detail);
	else if (before->revoked_ms != 0)
		answer_error(reply, 409, "conflict", "the key is revoked");
	else if (takes_own_admin(request, before, &terms))
		answer_error(reply, 409, "conflict", "a key cannot take the scope admin from itself: use another key");
	else if (api_key_terms_allowed(request, &terms, reply))
		rc = write_terms(request, before, &terms, reply, err);
	bytes_free(&scopes);
	return rc;
}

static int
update(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct document_error error = {0};
	struct document document;
	struct db_rows *rows = NULL;
	int rc = api_keys_get(request->db, NULL, context, true, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) == 0) {
		(void)no_such_key(reply);
	} else {
		struct api_key_row before = api_key_of_row(rows, 0);

		if (document_open(&document, request->body, &error))
			rc = change_key(request, &document, &before, reply, err);
		else
			answer_error(reply, 400, error.code, "%s", error.detail);
		document_close(&document);
	}
	db_rows_free(rows);
	return rc;
}

void
key_update(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];

	if (!key_of(request, id))
		(void)no_such_key(reply);
	else if (change_run(request, update, id, reply))
		api_keys_changed(request, reply);
}

/* ---- DELETE ---- */

static int
revoke_key(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = is_of_tenant(request) ? request->params[0].base : NULL;
	struct db_rows *rows = NULL;
	int64_t version;
	int rc = api_keys_get(request->db, tenant_id, context, true, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) == 0) {
		db_rows_free(rows);
		return no_such_key(reply);
	}

	struct api_key_row key = api_key_of_row(rows, 0);

	/* A repeated request gets the same answer. */
	if (key.revoked_ms == 0) {
		const struct change change = {"key.revoke", "key", key.id.base, key.tenant_id.base};
		cJSON *before = api_key_show(&key);

		rc = changes_raise(request->db, &version, err);
		if (rc == 0)
			rc = api_keys_revoke(request->db, &key, version, err);
		if (rc == 0)
			rc = change_audit(request, &change, before, NULL, err);
		cJSON_Delete(before);
	}
	if (rc == 0)
		answer_nothing(reply);
	db_rows_free(rows);
	return rc;
}

void
key_revoke(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];

	if (!key_of(request, id))
		(void)no_such_key(reply);
	else if (change_run(request, revoke_key, id, reply))
		api_keys_changed(request, reply);
}
