/* The overlap is the old key's expires_at in the store, so it survives restarts and applies on each node. */
#include "control/key_rotation.h"

#include <string.h>

#include "base/clock.h"
#include "control/api_key.h"
#include "control/change.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/tenants.h"

#define OVERLAP_SECONDS 3600
#define OVERLAP_SECONDS_MAX (365 * 24 * 3600)

struct rotation {
	struct new_api_key key;
	char old_id[OBJECT_ID_BYTES];
	int64_t overlap_seconds;
};

/* expires_ms: the end of the overlap, or the old key's own expiry if that is earlier. */
static int
end_old(const struct request *request, const struct rotation *rotation, const struct api_key_row *old,
    int64_t expires_ms, struct error *err)
{
	const struct change change = {"key.rotate", "key", old->id.base, old->tenant_id.base};
	struct api_key_row ended = *old;
	cJSON *before, *after;
	int64_t version;
	int rc = changes_raise(request->db, &version, err);

	ended.terms.expires_ms = expires_ms;
	ended.replaced_by = (struct span){rotation->key.id, OBJECT_ID_BYTES - 1};
	if (rc == 0)
		rc = api_keys_replace(request->db, old, rotation->key.id, expires_ms, version, err);
	if (rc != 0)
		return rc;
	before = api_key_show(old);
	after = api_key_show(&ended);
	rc = change_audit(request, &change, before, after, err);
	cJSON_Delete(before);
	cJSON_Delete(after);
	return rc;
}

static void
answer(struct reply *reply, const struct rotation *rotation, int64_t old_expires_ms)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", (struct span){rotation->key.id, OBJECT_ID_BYTES - 1});
	tree_add_text(tree, "key_id", (struct span){rotation->key.id, OBJECT_ID_BYTES - 1});
	tree_add_text(tree, "key", (struct span){rotation->key.text, API_KEY_BYTES - 1});
	tree_add_text(tree, "token", (struct span){rotation->key.text, API_KEY_BYTES - 1});
	tree_add_text(tree, "old_key_id", (struct span){rotation->old_id, OBJECT_ID_BYTES - 1});
	tree_add_int(tree, "old_key_expires_at", old_expires_ms / 1000);
	answer_json(reply, 200, tree);
}

/* The old key exists, belongs to the tenant in the path, and is locked. */
static int
replace(const struct request *request, const struct rotation *rotation, const struct api_key_row *old,
    struct reply *reply, struct error *err)
{
	int64_t now_ms = clock_wall_us() / 1000, expires_ms = now_ms + rotation->overlap_seconds * 1000;
	struct db_rows *rows = NULL;
	int rc;

	if (old->revoked_ms != 0 || (old->terms.expires_ms != 0 && old->terms.expires_ms <= now_ms)) {
		answer_error(reply, 409, "conflict", "the key is revoked or has expired: make a new one");
		return 0;
	}
	/* A second successor would inherit the end of the overlap as its own expiry. */
	if (old->replaced_by.base != NULL) {
		answer_error(reply, 409, "conflict", "the key was replaced by %s already: replace that one",
		    old->replaced_by.base);
		return 0;
	}
	if (!api_key_terms_allowed(request, &old->terms, reply))
		return 0;
	if (old->terms.expires_ms != 0 && old->terms.expires_ms < expires_ms)
		expires_ms = old->terms.expires_ms;
	rc = api_key_store(request, &rotation->key, old->tenant_id.base, &old->terms, &rows, err);
	if (rc == 0)
		rc = end_old(request, rotation, old, expires_ms, err);
	if (rc == 0)
		answer(reply, rotation, expires_ms);
	db_rows_free(rows);
	return rc;
}

static int
rotate(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct rotation *rotation = context;
	struct db_rows *rows = NULL;
	bool exists = false;
	int rc = tenants_hold(request->db, request->params[0].base, &exists, err);

	if (rc == 0 && exists)
		rc = api_keys_get(request->db, request->params[0].base, rotation->old_id, true, &rows, err);
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) == 0) {
		answer_error(
		    reply, 404, "not_found", exists ? "the tenant has no such key" : "there is no such tenant");
	} else {
		struct api_key_row old = api_key_of_row(rows, 0);

		rc = replace(request, rotation, &old, reply, err);
	}
	db_rows_free(rows);
	return rc;
}

/* false: the reply says what is wrong with the body. */
static bool
read_body(const struct request *request, struct rotation *rotation, struct reply *reply)
{
	static const struct document_lengths lengths = {1, 100, false};
	struct document_error error = {0};
	struct document document;
	struct span id;

	rotation->overlap_seconds = OVERLAP_SECONDS;
	if (document_open(&document, request->body, &error)) {
		(void)document_int(&document, "overlap_seconds", 0, OVERLAP_SECONDS_MAX, &rotation->overlap_seconds);
		if (document_string(&document, "key_id", &lengths, &id)) {
			if (!object_id_read(id, rotation->old_id))
				(void)document_refuse(&document, "key_id", "must be the id of a key, a UUID");
		} else {
			(void)document_refuse(&document, "key_id", "is required: which key is to be replaced");
		}
	}
	document_close(&document);
	if (error.code != NULL)
		answer_error(reply, 400, error.code, "%s", error.detail);
	return error.code == NULL;
}

void
key_rotate(const struct request *request, struct reply *reply)
{
	struct rotation rotation;

	if (!read_body(request, &rotation, reply))
		return;
	new_api_key_make(&rotation.key);
	if (change_run(request, rotate, &rotation, reply))
		api_keys_changed(request, reply);
	explicit_bzero(&rotation, sizeof rotation);
}
