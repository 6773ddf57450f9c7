/* Makes keys, reads their terms, and shows them. */
#include "control/api_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/scopes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "control/change.h"
#include "control/key_loader.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"

#define SECRET_BYTES 32
#define SCOPES_LISTED_MAX 50
#define NAME_CHARS_MAX 255
#define LAST_MS INT64_C(253402300799999) /* of the year 9999 */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Writes the number, most significant byte first, in base 62. Destroys the number. */
static void
write_base62(uint8_t number[SECRET_BYTES], char *out)
{
	for (int place = API_KEY_DIGITS - 1; place >= 0; place--) {
		unsigned rest = 0;

		for (int i = 0; i < SECRET_BYTES; i++) {
			rest = rest << 8 | number[i];
			number[i] = (uint8_t)(rest / 62);
			rest %= 62;
		}
		out[place] = digits[rest];
	}
}

void
new_api_key_make(struct new_api_key *key)
{
	uint8_t secret[SECRET_BYTES], digest[SHA256_BYTES];

	object_id_make(key->id);
	crypto_random(secret, sizeof secret);
	memcpy(key->text, API_KEY_BEGIN, strlen(API_KEY_BEGIN));
	write_base62(secret, key->text + strlen(API_KEY_BEGIN));
	key->text[API_KEY_BYTES - 1] = '\0';
	memcpy(key->prefix, key->text, API_KEY_PREFIX_BYTES - 1);
	key->prefix[API_KEY_PREFIX_BYTES - 1] = '\0';
	crypto_sha256((struct span){key->text, API_KEY_BYTES - 1}, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(key->hash + 2 * i, 3, "%02x", digest[i]);
}

/* ---- terms ---- */

/* Adds one scope to a JSON array that is being written. Scopes hold no character that needs an escape. */
static bool
add_scope(struct document *list, size_t index, struct span scope, struct bytes *json)
{
	char number[24];
	uint32_t bits = 0;

	(void)snprintf(number, sizeof number, "%zu", index);
	if (scopes_parse(scope, &bits) != 0)
		return document_refuse(list, number, "there is no such scope");
	bytes_add_text(json, json->len == 0 ? "[\"" : ",\"");
	for (size_t i = 0; i < scope.len; i++)
		bytes_add(json, scope.base[i] == ':' ? "." : &scope.base[i], 1);
	bytes_add_text(json, "\"");
	return true;
}

static bool
read_scopes(struct document *document, struct span *scopes, struct bytes *json)
{
	static const struct document_lengths lengths = {1, SCOPE_TEXT_MAX, false};
	struct document list;
	bool good = true;

	if (document_presence(document, "scopes") == DOCUMENT_NULL)
		*scopes = (struct span){"[\"*\"]", 5};
	if (!document_inner_array(document, "scopes", &list))
		return document->error->code == NULL;
	if (list.count == 0 || list.count > SCOPES_LISTED_MAX)
		good = document_refuse(document, "scopes", "must have 1 to %d scopes", SCOPES_LISTED_MAX);
	json->len = 0;
	for (size_t i = 0; good && i < list.count; i++) {
		struct span scope;

		good = document_string_at(&list, i, &lengths, &scope) && add_scope(&list, i, scope, json);
	}
	document_close(&list);
	bytes_add_text(json, "]");
	if (good)
		*scopes = (struct span){json->base, json->len};
	return good;
}

/* Reads a limit; null removes it. */
static void
read_limit(struct document *document, const char *name, int64_t max, int64_t *limit)
{
	if (document_presence(document, name) == DOCUMENT_NULL)
		*limit = 0;
	(void)document_int(document, name, 1, max, limit);
}

static void
read_name(struct document *document, const char *member, struct span *name)
{
	static const struct document_lengths lengths = {1, NAME_CHARS_MAX, false};

	if (document_presence(document, member) == DOCUMENT_NULL)
		*name = (struct span){NULL, 0};
	(void)document_string(document, member, &lengths, name);
}

bool
api_key_terms_read(struct document *document, struct api_key_terms *terms, struct bytes *scopes)
{
	read_name(document, "label", &terms->name);
	read_name(document, "name", &terms->name);
	read_limit(document, "events_per_second", INT32_MAX, &terms->events_per_second);
	read_limit(document, "bytes_per_second", INT64_C(1) << 53, &terms->bytes_per_second);
	read_limit(document, "expires_at", LAST_MS, &terms->expires_ms);
	if (document_presence(document, "expires_at") == DOCUMENT_GIVEN && document->error->code == NULL &&
	    terms->expires_ms <= clock_wall_us() / 1000)
		(void)document_refuse(
		    document, "expires_at", "must be a time to come, in milliseconds since 1970; DELETE revokes a key");
	return read_scopes(document, &terms->scopes, scopes) && document->error->code == NULL;
}

uint32_t
api_key_scope_bits(const struct api_key_terms *terms)
{
	static const struct document_lengths lengths = {0, SCOPE_TEXT_MAX, false};
	struct document_error error = {0};
	struct document document, list;
	struct bytes text = {0};
	uint32_t bits = 0;

	/* A document is an object. */
	bytes_add_text(&text, "{\"scopes\":");
	bytes_add(&text, terms->scopes.base, terms->scopes.len);
	bytes_add_text(&text, "}");
	if (document_open(&document, (struct span){text.base, text.len}, &error) &&
	    document_inner_array(&document, "scopes", &list)) {
		for (size_t i = 0; i < list.count; i++) {
			struct span scope;

			if (document_string_at(&list, i, &lengths, &scope))
				(void)scopes_parse(scope, &bits);
		}
		document_close(&list);
	}
	document_close(&document);
	bytes_free(&text);
	return bits;
}

bool
api_key_terms_allowed(const struct request *request, const struct api_key_terms *terms, struct reply *reply)
{
	uint32_t beyond = api_key_scope_bits(terms) & ~request->caller.scopes;

	if (beyond == 0)
		return true;
	answer_forbidden(
	    reply, scope_name((enum scope)__builtin_ctz(beyond)), "a key gives no scope that it does not have itself");
	return false;
}

/* ---- showing and storing ---- */

cJSON *
api_key_show(const struct api_key_row *key)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", key->id);
	tree_add_text(tree, "key_id", key->id);
	tree_add_text(tree, "prefix", key->prefix);
	tree_add_text(tree, "tenant_id", key->tenant_id);
	tree_add_text(tree, "name", key->terms.name);
	tree_add_json(tree, "scopes", key->terms.scopes, "[]");
	tree_add_int_or_null(tree, "events_per_second", key->terms.events_per_second);
	tree_add_int_or_null(tree, "bytes_per_second", key->terms.bytes_per_second);
	tree_add_int(tree, "created_at", key->created_ms);
	tree_add_int_or_null(tree, "expires_at", key->terms.expires_ms);
	tree_add_text(tree, "replaced_by", key->replaced_by);
	tree_add_int_or_null(tree, "revoked_at", key->revoked_ms);
	tree_add_int_or_null(tree, "last_used_at", key->last_used_ms);
	return tree;
}

int
api_key_store(const struct request *request, const struct new_api_key *key, const char *tenant_id,
    const struct api_key_terms *terms, struct db_rows **rows, struct error *err)
{
	const struct api_key_identity identity = {key->id, tenant_id, key->prefix, key->hash};
	const struct change change = {"key.create", "key", key->id, tenant_id};
	int64_t version;
	int rc = changes_raise(request->db, &version, err);

	*rows = NULL;
	if (rc == 0)
		rc = api_keys_insert(request->db, &identity, terms, version, err);
	if (rc == 0)
		rc = api_keys_get(request->db, tenant_id, key->id, false, rows, err);
	if (rc == 0) {
		struct api_key_row stored = api_key_of_row(*rows, 0);
		cJSON *after = api_key_show(&stored);

		rc = change_audit(request, &change, NULL, after, err);
		cJSON_Delete(after);
	}
	return rc;
}

void
api_keys_changed(const struct request *request, struct reply *reply)
{
	struct error err;
	int rc = key_loader_refresh(request->context->keys, request->db, &err);

	if (rc == 0)
		return;
	reply_reset(reply);
	answer_store_failed(reply, rc, &err);
}
