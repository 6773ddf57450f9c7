/* Makes, shows, changes and deletes endpoints, and rotates their secrets. */
#include "control/endpoints.h"

#include <string.h>

#include "base/clock.h"
#include "control/change.h"
#include "control/endpoint_document.h"
#include "control/endpoint_reply.h"
#include "control/listing.h"
#include "control/members.h"
#include "control/object_id.h"
#include "control/propagation.h"
#include "control/query.h"
#include "api/secrets.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/routing.h"

#define OVERLAP_SECONDS (24 * 60 * 60) /* default overlap of a rotation; at most a week */
#define OVERLAP_SECONDS_MAX (7 * 24 * 60 * 60)

static struct endpoint_rules
rules_of(const struct request *request, struct networks *allowed, bool making)
{
	/* config_load() has checked the option. */
	(void)networks_read(request->context->config->hl_allow_networks, allowed);
	return (struct endpoint_rules){.allowed = allowed,
	    .dev_inbox = request->context->config->hl_dev_inbox,
	    .public_url = request->context->config->hl_public_url,
	    .secrets = request->context->secrets,
	    .tenant_id = request->caller.tenant_id,
	    .making = making};
}

static void
answer_wrong(struct reply *reply, const struct document_error *error)
{
	int status = strcmp(error->code, ENDPOINT_CONFLICT) == 0 ? 409 : 400;

	answer_error(reply, status, error->code, "%s", error->detail);
}

/* Answers with the one endpoint of rows. secret: shown instead of ***, unless it is "". */
static void
answer_with(
    const struct request *request, struct reply *reply, int status, const struct db_rows *rows, const char *secret)
{
	struct endpoint endpoint = endpoint_of_row(rows, 0);
	cJSON *tree = endpoint_show(request, &endpoint);

	if (secret[0] != '\0')
		tree_replace_text(tree, "secret", secret);
	answer_json(reply, status, tree);
	reply_set_version(reply, endpoint.version);
}

/*
 * Reads the endpoint in the path. Returns as db_query(); returns 0 with an answer in the reply if there is none, or,
 * with for_update, if its version is not the one in the request.
 */
static int
load(const struct request *request, bool for_update, struct db_rows **rows, struct reply *reply, struct error *err)
{
	char id[OBJECT_ID_BYTES];
	int rc = 0;

	*rows = NULL;
	if (object_id_read(request->params[0], id))
		rc = endpoints_get(
		    request->db, request->caller.tenant_id, (struct span){id, strlen(id)}, for_update, rows, err);
	if (rc == 0 && db_rows_count(*rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such endpoint");
	else if (rc == 0 && for_update)
		(void)request_matches_version(request, endpoint_of_row(*rows, 0).version, reply);
	return rc;
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

/* A change to record. */
struct happening {
	const char *action; /* "endpoint.update" */
	struct span id;
	const struct endpoint *before, *after; /* NULL: it did not exist before, or is gone afterwards */
	int64_t *version; /* set to the raised version, for propagation_wait(); NULL: not needed */
};

/* Does what belongs to each change, in its transaction: routing version, audit row, and the version of changes. */
static int
record(const struct request *request, const struct happening *happening, struct error *err)
{
	const struct endpoint *before = happening->before, *after = happening->after;
	const struct change change = {happening->action, "endpoint", happening->id.base, request->caller.tenant_id};
	cJSON *old = before != NULL ? endpoint_show(request, before) : NULL;
	cJSON *new = after != NULL ? endpoint_show(request, after) : NULL;
	int rc;

	if (before != NULL && after != NULL && !same(before->secret, after->secret))
		tree_replace_text(new, "secret", CREDENTIAL_SHOWN " (another)");
	rc = (happening->version != NULL ? routing_raise : routing_raise_for_publishers)(
	    request->db, request->caller.tenant_id, err);
	if (rc == 0)
		rc = change_audit(request, &change, old, new, err);
	if (rc == 0 && happening->version != NULL)
		rc = changes_raise(request->db, happening->version, err);
	cJSON_Delete(old);
	cJSON_Delete(new);
	return rc;
}

/* A change of an existing endpoint. */
struct changing {
	const struct endpoint_rules *rules; /* of a PATCH */
	const struct rotation *rotation; /* of a rotation */
	int64_t version; /* couriers must act by it before the reply; 0: none */
};

/* Runs the change, and waits until it holds. */
static void
run_change(const struct request *request, change_body *body, struct changing *changing, struct reply *reply)
{
	if (change_run(request, body, changing, reply) && changing->version != 0)
		propagation_wait(request, changing->version, reply);
}

/* ---- POST ---- */

struct making {
	struct endpoint endpoint;
	const char *secret; /* the generated secret */
};

static int
make(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct making *making = context;
	struct db_rows *rows = NULL;
	int rc = endpoints_insert(request->db, request->caller.tenant_id, &making->endpoint, &rows, err);

	if (rc == 0) {
		struct endpoint made = endpoint_of_row(rows, 0);

		rc = record(request, &(struct happening){"endpoint.create", made.id, NULL, &made, NULL}, err);
	}
	if (rc == 0)
		answer_with(request, reply, 201, rows, making->secret);
	db_rows_free(rows);
	return rc;
}

void
endpoint_create(const struct request *request, struct reply *reply)
{
	struct endpoint_document document;
	char id[OBJECT_ID_BYTES];
	struct making making;
	struct networks allowed;
	struct endpoint_rules rules = rules_of(request, &allowed, true);

	object_id_make(id);
	making.endpoint = endpoint_defaults((struct span){id, strlen(id)});
	making.secret = document.made_secret;
	if (endpoint_document_open(&document, request->body) &&
	    endpoint_document_apply(&document, &rules, &making.endpoint))
		(void)change_run(request, make, &making, reply);
	else
		answer_wrong(reply, &document.error);
	endpoint_document_close(&document);
}

int
endpoint_add(
    const struct request *request, struct span body, char id[OBJECT_ID_BYTES], struct reply *reply, struct error *err)
{
	struct endpoint_document document;
	struct making making;
	struct networks allowed;
	struct endpoint_rules rules = rules_of(request, &allowed, true);
	int rc = 0;

	object_id_make(id);
	making.endpoint = endpoint_defaults((struct span){id, strlen(id)});
	making.secret = document.made_secret;
	if (endpoint_document_open(&document, body) && endpoint_document_apply(&document, &rules, &making.endpoint))
		rc = make(request, &making, reply, err);
	else
		answer_wrong(reply, &document.error);
	endpoint_document_close(&document);
	return rc;
}

/* ---- GET ---- */

void
endpoint_get(const struct request *request, struct reply *reply)
{
	struct db_rows *rows;
	struct error err;
	int rc = load(request, false, &rows, reply, &err);

	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (reply->status == 0)
		answer_with(request, reply, 200, rows, "");
	db_rows_free(rows);
}

static int
read_slice(const struct request *request, const void *enabled, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return endpoints_list(request->db, request->caller.tenant_id, *(const int *)enabled, slice, rows, err);
}

static cJSON *
show_row(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	struct endpoint endpoint = endpoint_of_row(rows, row);

	return endpoint_show(request, &endpoint);
}

void
endpoint_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'e', .read = read_slice, .show = show_row};
	int enabled = -1;

	if (query_bool(request, "enabled", &enabled, reply))
		list_answer(request, &kind, &enabled, reply);
}

/* ---- PATCH ---- */

/* Whether both endpoints are delivered to in the same way. */
static bool
deliver_alike(const struct endpoint *a, const struct endpoint *b)
{
#define ENDPOINT_BOOL(name, ...) a->name == b->name &&
#define ENDPOINT_INT(name, ...) a->name == b->name &&
#define ENDPOINT_CHOICE(name, ...) same(a->name, b->name) &&
	return
#include "store/webhooks/endpoint_fields.def"
	    same(a->url, b->url) && same(a->secret, b->secret) && same(a->old_secret, b->old_secret) &&
	    same(a->headers, b->headers) && same(a->retry_schedule, b->retry_schedule) &&
	    a->max_attempts == b->max_attempts;
}

/*
 * Replaces the endpoint, and answers. reset_state: earlier results of deliveries no longer count. version: see struct
 * changing.
 */
static int
replace(const struct request *request, const struct endpoint *before, const struct endpoint *endpoint, bool reset_state,
    int64_t *version, struct reply *reply, struct error *err) /* seven: what became of what */
{
	bool at_once = reset_state || !deliver_alike(before, endpoint);
	struct db_rows *rows = NULL;
	int rc;

	if (endpoint_size(endpoint) > DOCUMENT_BYTES_MAX) {
		answer_error(
		    reply, 413, "payload_too_large", "the endpoint has more than %d bytes in all", DOCUMENT_BYTES_MAX);
		return 0;
	}
	rc = endpoints_update(request->db, request->caller.tenant_id, endpoint, reset_state, &rows, err);
	if (rc == 0) {
		struct endpoint after = endpoint_of_row(rows, 0);

		rc = record(request,
		    &(struct happening){"endpoint.update", after.id, before, &after, at_once ? version : NULL}, err);
	}
	if (rc == 0)
		answer_with(request, reply, 200, rows, "");
	db_rows_free(rows);
	return rc;
}

/* Whether the document enables the endpoint, even if it is enabled already. */
static bool
enables(struct endpoint_document *document, const struct endpoint *endpoint)
{
	return endpoint->enabled && document_presence(&document->document, "enabled") != DOCUMENT_ABSENT;
}

static int
update(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct changing *changing = context;
	struct endpoint_document document;
	struct endpoint before, endpoint;
	struct db_rows *rows;
	int rc = load(request, true, &rows, reply, err);

	changing->version = 0;
	if (rc == 0 && reply->status == 0) {
		before = endpoint = endpoint_of_row(rows, 0);
		if (endpoint_document_open(&document, request->body) &&
		    endpoint_document_apply(&document, changing->rules, &endpoint))
			rc = replace(request, &before, &endpoint,
			    enables(&document, &endpoint) || !same(before.url, endpoint.url), &changing->version, reply,
			    err);
		else
			answer_wrong(reply, &document.error);
		endpoint_document_close(&document);
	}
	db_rows_free(rows);
	return rc;
}

void
endpoint_update(const struct request *request, struct reply *reply)
{
	struct networks allowed;
	struct endpoint_rules rules = rules_of(request, &allowed, false);

	run_change(request, update, &(struct changing){.rules = &rules}, reply);
}

/* ---- DELETE ---- */

static int delete (const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct changing *changing = context;
	struct db_rows *rows;
	int rc = load(request, true, &rows, reply, err);

	if (rc == 0 && reply->status == 0) {
		struct endpoint before = endpoint_of_row(rows, 0);

		rc = endpoints_delete(request->db, request->caller.tenant_id, before.id, err);
		if (rc == 0)
			rc = record(request,
			    &(struct happening){"endpoint.delete", before.id, &before, NULL, &changing->version}, err);
		if (rc == 0)
			answer_nothing(reply);
	}
	db_rows_free(rows);
	return rc;
}

void
endpoint_delete(const struct request *request, struct reply *reply)
{
	run_change(request, delete, &(struct changing){0}, reply);
}

/* ---- rotation ---- */

/* A rotation, read from its body. */
struct rotation {
	struct span plain; /* the new secret */
	char made[ENDPOINT_SECRET_GENERATED_BYTES]; /* "": given by the client */
	int64_t overlap_seconds;
};

/* Stores the new secret and, for the overlap, the old one. */
static int
rotate_row(const struct request *request, struct changing *changing, const struct endpoint *before, struct reply *reply,
    struct error *err)
{
	const struct rotation *rotation = changing->rotation;
	const struct secret_place place = {
	    {request->caller.tenant_id, strlen(request->caller.tenant_id)}, before->id, SECRET_SIGNING};
	struct endpoint endpoint = *before, after;
	struct bytes sealed = {0};
	struct db_rows *rows = NULL;
	int rc;

	secret_seal(request->context->secrets, &place, rotation->plain, &sealed);
	endpoint.secret = (struct span){sealed.base, sealed.len};
	endpoint.old_secret = rotation->overlap_seconds > 0 ? before->secret : (struct span){NULL, 0};
	endpoint.old_secret_until = clock_wall_us() / 1000 + rotation->overlap_seconds * 1000;
	rc = endpoints_update(request->db, request->caller.tenant_id, &endpoint, false, &rows, err);
	if (rc == 0) {
		after = endpoint_of_row(rows, 0);
		rc = record(request,
		    &(struct happening){"endpoint.rotate_secret", after.id, before, &after, &changing->version}, err);
	}
	if (rc == 0)
		answer_with(request, reply, 200, rows, rotation->made);
	db_rows_free(rows);
	secret_wipe(&sealed);
	return rc;
}

static int
rotate(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct db_rows *rows;
	int rc = load(request, true, &rows, reply, err);

	if (rc == 0 && reply->status == 0) {
		struct endpoint before = endpoint_of_row(rows, 0);

		rc = rotate_row(request, context, &before, reply, err);
	}
	db_rows_free(rows);
	return rc;
}

void
endpoint_rotate_secret(const struct request *request, struct reply *reply)
{
	struct rotation rotation = {.overlap_seconds = OVERLAP_SECONDS};
	struct document_error error = {0};
	struct document document;

	if (document_open(&document, request->body, &error)) {
		(void)document_int(&document, "overlap_seconds", 0, OVERLAP_SECONDS_MAX, &rotation.overlap_seconds);
		if (!endpoint_document_secret(&document, false, &rotation.plain) && error.code == NULL) {
			endpoint_secret_make(rotation.made);
			rotation.plain = (struct span){rotation.made, strlen(rotation.made)};
		}
	}
	if (error.code != NULL)
		answer_wrong(reply, &error);
	else
		run_change(request, rotate, &(struct changing){.rotation = &rotation}, reply);
	document_close(&document);
	explicit_bzero(&rotation, sizeof rotation);
}
