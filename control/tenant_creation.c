/* A repeated request with the same Idempotency-Key shows the tenant again, without its key. */
#include "control/tenant_creation.h"

#include <string.h>

#include "config/text_rules.h"
#include "control/api_key.h"
#include "control/change.h"
#include "control/idempotent.h"
#include "control/tenants.h"
#include "control/tree.h"
#include "store/db_refusal.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/tenants.h"

struct creation {
	char id[TENANT_ID_MAX + 1];
	struct span name, metadata;
	struct request_fingerprint fingerprint;
	struct new_api_key key;
};

static int
conflict(struct reply *reply)
{
	answer_error(reply, 409, "conflict", "a tenant of this id exists, or is still being deleted");
	return 0;
}

static int
show_first(const struct request *request, const char *id, struct reply *reply, struct error *err)
{
	struct db_rows *rows = NULL;
	int rc = tenants_get(request->db, id, false, &rows, err);

	if (rc == 0 && db_rows_count(rows) == 0)
		answer_error(reply, 409, "conflict", "the tenant that this Idempotency-Key made has been deleted");
	else if (rc == 0)
		answer_json(reply, 200, tenant_show(rows, 0));
	db_rows_free(rows);
	return rc;
}

/* Reads the stored tenant, audits it, and answers with it and the key. */
static int
show_made(const struct request *request, const struct creation *creation, struct reply *reply, struct error *err)
{
	const struct change change = {"tenant.create", "tenant", creation->id, request->caller.tenant_id};
	struct db_rows *rows = NULL;
	int rc = tenants_get(request->db, creation->id, false, &rows, err);
	cJSON *tree;

	if (rc != 0)
		return rc;
	tree = tenant_audited(rows, 0);
	rc = change_audit(request, &change, NULL, tree, err);
	cJSON_Delete(tree);
	if (rc == 0) {
		tree = tenant_show(rows, 0);
		tree_add_text(tree, "api_key", (struct span){creation->key.text, API_KEY_BYTES - 1});
		answer_json(reply, 201, tree);
	}
	db_rows_free(rows);
	return rc;
}

/* The first key has "*", whatever the caller's scopes: a new tenant has nothing yet to which it could give access. */
static int
store(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct creation *creation = context;
	const struct api_key_terms terms = {.scopes = {"[\"*\"]", 5}};
	struct db_rows *rows = NULL;
	int rc = tenants_insert(request->db, creation->id, creation->name, creation->metadata, err);

	if (rc == DB_REFUSED && db_conflict(request->db))
		return conflict(reply);
	if (rc == 0)
		rc = routing_lock(request->db, (struct span){creation->id, strlen(creation->id)}, err);
	if (rc == 0)
		rc = api_key_store(request, &creation->key, creation->id, &terms, &rows, err);
	db_rows_free(rows);
	return rc != 0 ? rc : show_made(request, creation, reply, err);
}

static int
create(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct creation *creation = context;
	const struct made_once once = {"tenants", creation->id, &creation->fingerprint, store, show_first};

	return make_once(request, &once, creation, reply, err);
}

/* Reads the id chosen by the client, or makes a UUID. Refuses "." and "..", which cannot be path segments. */
static void
read_id(struct document *document, char id[TENANT_ID_MAX + 1])
{
	static const struct document_lengths lengths = {1, TENANT_ID_MAX, false};
	struct span text;

	(void)document_presence(document, "tenant_id");
	if (!document_string(document, "id", &lengths, &text) &&
	    !document_string(document, "tenant_id", &lengths, &text)) {
		object_id_make(id);
		return;
	}
	if (!text_is_tenant(text.base, text.len) ||
	    (text.base[0] == '.' && text.len <= 2 && text.base[text.len - 1] == '.'))
		(void)document_refuse(
		    document, "id", "must have 1 to 64 letters, digits, '_', '.' and '-', not only dots");
	else
		memcpy(mempcpy(id, text.base, text.len), "", 1);
}

static bool
read_document(struct document *document, struct creation *creation)
{
	read_id(document, creation->id);
	if (document->error->code != NULL)
		return false;
	creation->name = (struct span){creation->id, strlen(creation->id)};
	return tenant_document_read(document, creation->name, &creation->name, &creation->metadata);
}

void
tenant_create(const struct request *request, struct reply *reply)
{
	struct creation creation = {0};
	struct document_error error = {0};
	struct document document;

	if (!request_idempotency_key(request, &creation.fingerprint, reply))
		return;
	if (document_open(&document, request->body, &error) && read_document(&document, &creation)) {
		new_api_key_make(&creation.key);
		if (change_run(request, create, &creation, reply))
			api_keys_changed(request, reply);
		explicit_bzero(&creation, sizeof creation);
	} else {
		answer_error(reply, 400, error.code, "%s", error.detail);
	}
	document_close(&document);
}
