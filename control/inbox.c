/* A receiver has no row: its token names the tenant. Each process reads the key of tokens once. */
#include "control/inbox.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/scopes.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/utf8_repair.h"
#include "control/change.h"
#include "control/endpoints.h"
#include "control/filters.h"
#include "control/inbox_token.h"
#include "control/listing.h"
#include "control/subscriptions.h"
#include "control/tree.h"
#include "event/topic.h"
#include "store/webhooks/inbox_rows.h"
#include "store/webhooks/tenants.h"

#define PATH "/v1/dev/inbox/receive/"
#define TOKEN_LIVES_MS (30ll * 24 * 60 * 60 * 1000)

static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;
static bool key_known;
static uint8_t known_key[INBOX_KEY_BYTES];

static void
write_hex(const uint8_t *bytes, size_t count, char *out)
{
	for (size_t i = 0; i < count; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * count] = '\0';
}

static bool
read_hex(struct span text, uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	if (text.len != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *high = strchr(digits, text.base[2 * i]), *low = strchr(digits, text.base[2 * i + 1]);

		if (high == NULL || low == NULL)
			return false;
		bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

/* Returns as db_query(). */
static int
read_key(struct db *db, uint8_t key[INBOX_KEY_BYTES], struct error *err)
{
	uint8_t random[INBOX_KEY_BYTES];
	char made[2 * INBOX_KEY_BYTES + 1];
	struct db_rows *rows = NULL;
	int rc;

	crypto_random(random, sizeof random);
	write_hex(random, sizeof random, made);
	rc = inbox_rows_key(db, made, &rows, err);
	if (rc == 0 && (db_rows_count(rows) != 1 || !read_hex(db_rows_text(rows, 0, 0), key, INBOX_KEY_BYTES)))
		rc = error_set(err, "the key in the table inbox_keys is not 64 digits of lower-case hex");
	db_rows_free(rows);
	return rc;
}

/* false: the request has been answered. */
static bool
get_key(const struct request *request, uint8_t key[INBOX_KEY_BYTES], struct reply *reply)
{
	struct error err;
	bool known;
	int rc;

	pthread_mutex_lock(&key_lock);
	known = key_known;
	memcpy(key, known_key, INBOX_KEY_BYTES);
	pthread_mutex_unlock(&key_lock);
	if (known)
		return true;
	rc = read_key(request->db, key, &err);
	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
		return false;
	}
	pthread_mutex_lock(&key_lock);
	memcpy(known_key, key, INBOX_KEY_BYTES);
	key_known = true;
	pthread_mutex_unlock(&key_lock);
	return true;
}

/* false: the request has been answered. */
static bool
begin(const struct request *request, uint8_t key[INBOX_KEY_BYTES], struct reply *reply)
{
	if (request->context->config->hl_dev_inbox)
		return get_key(request, key, reply);
	answer_error(reply, 404, "dev_inbox_disabled",
	    "the development receiver is switched off: HL_DEV_INBOX=true switches it on");
	return false;
}

static struct span
text(const char *of)
{
	return (struct span){of, strlen(of)};
}

/* ---- POST /v1/dev/inbox ---- */

struct making {
	char token[INBOX_TOKEN_BYTES];
	int64_t now_ms;
	/* With a pattern: the endpoint and the subscription by which it gets published events. "": without. */
	char pattern[TOPIC_BYTES_MAX + 1];
	char endpoint_id[OBJECT_ID_BYTES], subscription_id[OBJECT_ID_BYTES];
};

static void
answer_made(const struct request *request, const struct making *making, struct reply *reply)
{
	struct bytes url = {0};
	cJSON *tree = tree_new();

	bytes_add_text(&url, request->base_url);
	bytes_add_text(&url, PATH);
	bytes_add_text(&url, making->token);
	bytes_add(&url, "", 1);
	tree_add_text(tree, "id", text(making->token));
	tree_add_text(tree, "token", text(making->token));
	tree_add_text(tree, "tenant_id", text(request->caller.tenant_id));
	tree_add_text(tree, "receive_url", (struct span){url.base, url.len - 1});
	if (making->pattern[0] != '\0') {
		tree_add_text(tree, "endpoint_id", text(making->endpoint_id));
		tree_add_text(tree, "subscription_id", text(making->subscription_id));
		tree_add_text(tree, "topic_pattern", text(making->pattern));
	}
	tree_add_int(tree, "created_at", making->now_ms);
	tree_add_int(tree, "expires_at", making->now_ms + TOKEN_LIVES_MS);
	answer_json(reply, 201, tree);
	bytes_free(&url);
}

typedef int add_function(
    const struct request *request, struct span document, char id[OBJECT_ID_BYTES], struct reply *reply, struct error *);

/* An object with these two members is made by add. Returns as that; the reply is open where it was made. */
static int
add_object(const struct request *request, add_function *add, const char *const members[4], char id[OBJECT_ID_BYTES],
    struct reply *reply, struct error *err) /* six: what is made by which function, and what comes back */
{
	cJSON *tree = tree_new();
	char *document;
	int rc;

	tree_add_text(tree, members[0], text(members[1]));
	tree_add_text(tree, members[2], text(members[3]));
	document = cJSON_PrintUnformatted(tree);
	cJSON_Delete(tree);
	if (document == NULL)
		mem_none(0);
	rc = add(request, text(document), id, reply, err);
	cJSON_free(document);
	if (rc == 0 && reply->status < 400)
		reply_reset(reply);
	return rc;
}

/* Couriers know the service itself by this name, wherever it listens. */
static int
connect_topics(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct making *making = context;
	char url[sizeof "http://localhost" PATH + INBOX_TOKEN_BYTES];
	const char *const endpoint[] = {"url", url, "name", "inbox"};
	const char *const subscription[] = {"endpoint_id", making->endpoint_id, "topic_pattern", making->pattern};
	int rc;

	(void)snprintf(url, sizeof url, "http://localhost" PATH "%s", making->token);
	rc = add_object(request, endpoint_add, endpoint, making->endpoint_id, reply, err);
	if (rc == 0 && reply->status == 0)
		rc = add_object(request, subscription_add, subscription, making->subscription_id, reply, err);
	if (rc == 0 && reply->status == 0)
		answer_made(request, making, reply);
	return rc;
}

/* Whether the caller may; if not, the reply says so. */
static bool
may_connect(const struct request *request, struct reply *reply)
{
	static const enum scope needed[] = {SCOPE_ENDPOINTS_WRITE, SCOPE_SUBSCRIPTIONS_WRITE};

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!scopes_allow(request->caller.scopes, needed[i])) {
			answer_forbidden(reply, scope_name(needed[i]),
			    "topic_pattern makes an endpoint and a subscription, which this key may not");
			return false;
		}
	return true;
}

/* Reads the body. Returns false when the request has been answered. */
static bool
read_making(const struct request *request, struct making *making, struct reply *reply)
{
	static const struct document_lengths lengths = {1, TOPIC_CHARS_MAX, false};
	struct document_error error = {0};
	struct document document;
	struct span pattern;

	if (document_open(&document, request->body, &error) &&
	    document_string(&document, "topic_pattern", &lengths, &pattern)) {
		memcpy(making->pattern, pattern.base, pattern.len);
		making->pattern[pattern.len] = '\0';
	}
	document_close(&document);
	if (error.code != NULL)
		answer_error(reply, 400, error.code, "%s", error.detail);
	return error.code == NULL;
}

void
inbox_create(const struct request *request, struct reply *reply)
{
	struct making making = {.now_ms = clock_wall_us() / 1000};
	uint8_t key[INBOX_KEY_BYTES];

	if (!begin(request, key, reply) || !read_making(request, &making, reply))
		return;
	inbox_token_make(key, request->caller.tenant_id, making.now_ms + TOKEN_LIVES_MS, making.token);
	if (making.pattern[0] == '\0')
		answer_made(request, &making, reply);
	else if (may_connect(request, reply))
		(void)change_run(request, connect_topics, &making, reply);
}

/* ---- ANY /v1/dev/inbox/receive/{token} ---- */

static int
add(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct inbox_message *message = context;
	bool exists;
	int rc = tenants_hold(request->db, message->tenant_id, &exists, err);

	if (rc == 0 && !exists)
		answer_error(reply, 404, "not_found", "there is no such receiver");
	else if (rc == 0)
		rc = inbox_rows_add(request->db, message, err);
	if (rc == 0 && reply->status == 0) {
		cJSON *tree = tree_new();

		tree_add_bool(tree, "ok", true);
		answer_json(reply, 200, tree);
	}
	return rc;
}

void
inbox_receive(const struct request *request, struct reply *reply)
{
	const char *end = request->body.len > 0 ? memchr(request->body.base, '\n', request->body.len) : NULL;
	char tenant_id[INBOX_TENANT_BYTES], id[OBJECT_ID_BYTES];
	uint8_t key[INBOX_KEY_BYTES];
	struct bytes body = {0};
	struct inbox_message message;

	if (!begin(request, key, reply))
		return;
	if (end == NULL || !inbox_token_read(key, request->params[0], clock_wall_us() / 1000, tenant_id)) {
		answer_error(reply, 404, "not_found", "there is no such receiver, or its token has expired");
		return;
	}
	object_id_make(id);
	bytes_reserve(&body, 1);
	utf8_repair((struct span){end + 1, request->body.len - (size_t)(end + 1 - request->body.base)}, &body);
	message = (struct inbox_message){
	    .tenant_id = tenant_id,
	    .token = request->params[0],
	    .message_id = id,
	    .headers = {request->body.base, (size_t)(end - request->body.base)},
	    .body = {body.base, body.len},
	};
	(void)change_run(request, add, &message, reply);
	bytes_free(&body);
}

/* ---- GET ---- */

/*
 * The token of the query, which is the caller's, under either name; "": there is none. Returns false when the request
 * has been answered.
 */
static bool
read_token(const struct request *request, char token[QUERY_VALUE_BYTES], struct reply *reply)
{
	char tenant_id[INBOX_TENANT_BYTES];
	uint8_t key[INBOX_KEY_BYTES];

	if (!begin(request, key, reply))
		return false;
	if (!query_value(request, "token", token) && !query_value(request, "endpoint_id", token)) {
		token[0] = '\0';
		return true;
	}
	if (inbox_token_read(key, text(token), clock_wall_us() / 1000, tenant_id) &&
	    strcmp(tenant_id, request->caller.tenant_id) == 0)
		return true;
	answer_error(reply, 404, "not_found", "there is no such receiver, or its token has expired");
	return false;
}

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, INBOX_COLUMN_ID));
	tree_add_text(tree, "message_id", db_rows_text(rows, row, INBOX_COLUMN_ID));
	tree_add_text(tree, "token", db_rows_text(rows, row, INBOX_COLUMN_TOKEN));
	tree_add_int(tree, "received_at", db_rows_int(rows, row, INBOX_COLUMN_RECEIVED_MS));
	tree_add_json(tree, "headers", db_rows_text(rows, row, INBOX_COLUMN_HEADERS), "{}");
	tree_add_text(tree, "body", db_rows_text(rows, row, INBOX_COLUMN_BODY));
	return tree;
}

static int
read_slice(const struct request *request, const void *token, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	const char *of = token;
	struct span one = {of[0] != '\0' ? of : NULL, strlen(of)};

	return inbox_rows_list(request->db, request->caller.tenant_id, one, slice, rows, err);
}

void
inbox_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'i', .read = read_slice, .show = show};
	char token[QUERY_VALUE_BYTES];

	if (read_token(request, token, reply))
		list_answer(request, &kind, token, reply);
}

void
inbox_get(const struct request *request, struct reply *reply)
{
	char token[QUERY_VALUE_BYTES], id[OBJECT_ID_BYTES];
	struct db_rows *rows = NULL;
	struct error err;
	int rc = 0;

	if (!read_token(request, token, reply))
		return;
	if (token[0] == '\0') {
		answer_error(reply, 400, "validation_error",
		    "query: token is missing: it is the one that POST /v1/dev/inbox gave, and no API key");
		return;
	}
	if (object_id_read(request->params[0], id))
		rc = inbox_rows_get(request->db, request->caller.tenant_id, text(token), id, &rows, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such message");
	else
		answer_json(reply, 200, show(request, rows, 0));
	db_rows_free(rows);
}
