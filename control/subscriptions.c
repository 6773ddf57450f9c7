/* Makes, shows, changes and deletes subscriptions. */
#include "control/subscriptions.h"

#include <string.h>

#include "control/change.h"
#include "control/listing.h"
#include "control/members.h"
#include "control/object_id.h"
#include "control/query.h"
#include "control/subscription_document.h"
#include "control/tree.h"
#include "store/webhooks/routing.h"

static struct span
text(const char *of)
{
	return (struct span){of, strlen(of)};
}

/* subscription is from a row. */
static cJSON *
show(const struct request *request, const struct subscription *subscription)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", subscription->id);
	tree_add_text(tree, "subscription_id", subscription->id);
	tree_add_text(tree, "tenant_id", text(request->caller.tenant_id));
	tree_add_int(tree, "version", subscription->version);
	tree_add_text(tree, "endpoint_id", subscription->endpoint_id);
	tree_add_text(tree, "topic_pattern", subscription->topic_pattern);
	tree_add_json(tree, "filter", subscription->filter, "null");
	tree_add_json(tree, "transform", subscription->transform, "null");
	tree_add_text(tree, "transform_id", subscription->transform_id);
	tree_add_bool(tree, "enabled", subscription->enabled);
	tree_add_text(tree, "name", subscription->name);
	tree_add_text(tree, "description", subscription->description);
	tree_add_json(tree, "metadata", subscription->metadata, "{}");
	tree_add_int(tree, "created_at", subscription->created_at);
	tree_add_int(tree, "updated_at", subscription->updated_at);
	tree_add_members(tree, subscription->extra);
	return tree;
}

/*
 * Reads the subscription in the path. Returns as db_query(); returns 0 with an answer in the reply if there is none,
 * or, with for_update, if its version is not the one in the request.
 */
static int
load(const struct request *request, bool for_update, struct db_rows **rows, struct reply *reply, struct error *err)
{
	char id[OBJECT_ID_BYTES];
	int rc = 0;

	*rows = NULL;
	if (object_id_read(request->params[0], id))
		rc = subscriptions_get(request->db, request->caller.tenant_id, text(id), for_update, rows, err);
	if (rc == 0 && db_rows_count(*rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such subscription");
	else if (rc == 0 && for_update)
		(void)request_matches_version(request, subscription_of_row(*rows, 0).version, reply);
	return rc;
}

/* ---- POST and PATCH ---- */

/* Prepares a write: checks the endpoint, without which the answer is 404, and stores the transform's row. */
static int
prepare(const struct request *request, const struct subscription_document *document,
    const struct subscription *subscription, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	bool exists;
	int rc = subscriptions_hold_endpoint(request->db, tenant_id, subscription->endpoint_id, &exists, err);

	if (rc == 0 && !exists)
		answer_error(reply, 404, "not_found", "endpoint_id: there is no such endpoint");
	else if (rc == 0 && document->other_transform)
		rc = transforms_put(request->db, tenant_id, subscription->transform_id, subscription->transform, err);
	return rc;
}

/* Audits the stored subscription, and answers with it. before NULL: it is new. */
static int
audit_and_answer(
    const struct request *request, struct span id, const cJSON *before, struct reply *reply, struct error *err)
{
	const struct change change = {before == NULL ? "subscription.create" : "subscription.update", "subscription",
	    id.base, request->caller.tenant_id};
	struct subscription after;
	struct db_rows *rows;
	cJSON *tree;
	int rc = subscriptions_get(request->db, request->caller.tenant_id, id, false, &rows, err);

	if (rc != 0)
		return rc;
	after = subscription_of_row(rows, 0);
	tree = show(request, &after);
	rc = change_audit(request, &change, before, tree, err);
	if (rc == 0) {
		answer_json(reply, before == NULL ? 201 : 200, tree);
		reply_set_version(reply, after.version);
	} else {
		cJSON_Delete(tree);
	}
	db_rows_free(rows);
	return rc;
}

/*
 * Measures the totals before the row is written. Locks the tenant's routing version, so that two requests cannot exceed
 * a limit together. As db_query().
 */
static int
hold_totals(const struct request *request, struct subscription_totals *before, struct error *err)
{
	int rc = routing_raise_for_publishers(request->db, request->caller.tenant_id, err);

	return rc != 0 ? rc : subscriptions_measure(request->db, request->caller.tenant_id, before, err);
}

/*
 * Checks that the tenant's totals are within the limits, or have not grown beyond them; if not, the reply is an answer.
 * Returns as db_query().
 */
static int
check_totals(const struct request *request, const struct subscription *subscription,
    const struct subscription_totals *before, struct reply *reply, struct error *err)
{
	int64_t own = (int64_t)(SUBSCRIPTION_BYTES + subscription->topic_pattern.len + subscription->filter.len);
	struct subscription_totals totals;
	int rc;

	if (before->pairs < SUBSCRIPTION_PAIRS_MAX && before->rule_bytes + own <= SUBSCRIPTION_RULE_BYTES_MAX)
		return 0;
	rc = subscriptions_measure(request->db, request->caller.tenant_id, &totals, err);
	if (rc != 0)
		return rc;
	if (totals.pairs > SUBSCRIPTION_PAIRS_MAX && totals.pairs > before->pairs)
		answer_error(reply, 400, "validation_error",
		    "the tenant has %d different pairs of endpoint and transform already, which is the limit",
		    SUBSCRIPTION_PAIRS_MAX);
	else if (totals.rule_bytes > SUBSCRIPTION_RULE_BYTES_MAX && totals.rule_bytes > before->rule_bytes)
		answer_error(reply, 400, "validation_error",
		    "the patterns and filters of the tenant's subscriptions would have more than %d bytes together, of "
		    "which each subscription takes %d besides its texts",
		    SUBSCRIPTION_RULE_BYTES_MAX, SUBSCRIPTION_BYTES);
	return 0;
}

struct making {
	const struct subscription_document *document;
	struct subscription subscription;
};

static int
make(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const struct making *making = context;
	const struct subscription *subscription = &making->subscription;
	struct subscription_totals before;
	int rc = prepare(request, making->document, subscription, reply, err);

	if (rc != 0 || reply->status != 0)
		return rc;
	rc = hold_totals(request, &before, err);
	if (rc == 0)
		rc = subscriptions_insert(request->db, request->caller.tenant_id, subscription, err);
	if (rc == 0)
		rc = check_totals(request, subscription, &before, reply, err);
	if (rc != 0 || reply->status != 0)
		return rc;
	return audit_and_answer(request, subscription->id, NULL, reply, err);
}

void
subscription_create(const struct request *request, struct reply *reply)
{
	struct subscription_document document;
	char id[OBJECT_ID_BYTES];
	struct making making = {.document = &document};

	object_id_make(id);
	making.subscription.id = text(id);
	making.subscription.enabled = true;
	if (subscription_document_open(&document, request->body) &&
	    subscription_document_apply(&document, request->caller.tenant_id, true, &making.subscription))
		(void)change_run(request, make, &making, reply);
	else
		answer_error(reply, 400, document.error.code, "%s", document.error.detail);
	subscription_document_close(&document);
}

int
subscription_add(
    const struct request *request, struct span body, char id[OBJECT_ID_BYTES], struct reply *reply, struct error *err)
{
	struct subscription_document document;
	struct making making = {.document = &document};
	int rc = 0;

	object_id_make(id);
	making.subscription.id = text(id);
	making.subscription.enabled = true;
	if (subscription_document_open(&document, body) &&
	    subscription_document_apply(&document, request->caller.tenant_id, true, &making.subscription))
		rc = make(request, &making, reply, err);
	else
		answer_error(reply, 400, document.error.code, "%s", document.error.detail);
	subscription_document_close(&document);
	return rc;
}

/* Replaces the subscription, and answers. */
static int
replace(const struct request *request, const struct subscription_document *document, const struct subscription *before,
    const struct subscription *subscription, struct reply *reply, struct error *err) /* six: what became of what */
{
	struct subscription_totals totals;
	cJSON *old;
	int rc;

	if (subscription_size(subscription) > DOCUMENT_BYTES_MAX) {
		answer_error(reply, 413, "payload_too_large", "the subscription has more than %d bytes in all",
		    DOCUMENT_BYTES_MAX);
		return 0;
	}
	rc = prepare(request, document, subscription, reply, err);
	if (rc != 0 || reply->status != 0)
		return rc;
	rc = hold_totals(request, &totals, err);
	if (rc == 0)
		rc = subscriptions_update(request->db, request->caller.tenant_id, subscription, err);
	if (rc == 0)
		rc = check_totals(request, subscription, &totals, reply, err);
	if (rc != 0 || reply->status != 0)
		return rc;
	old = show(request, before);
	rc = audit_and_answer(request, subscription->id, old, reply, err);
	cJSON_Delete(old);
	return rc;
}

static int
update(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct subscription_document document;
	struct subscription before, subscription;
	struct db_rows *rows;
	int rc = load(request, true, &rows, reply, err);

	if (rc == 0 && reply->status == 0) {
		before = subscription = subscription_of_row(rows, 0);
		if (subscription_document_open(&document, request->body) &&
		    subscription_document_apply(&document, request->caller.tenant_id, false, &subscription))
			rc = replace(request, &document, &before, &subscription, reply, err);
		else
			answer_error(reply, 400, document.error.code, "%s", document.error.detail);
		subscription_document_close(&document);
	}
	db_rows_free(rows);
	return rc;
}

void
subscription_update(const struct request *request, struct reply *reply)
{
	(void)change_run(request, update, NULL, reply);
}

/* ---- GET ---- */

void
subscription_get(const struct request *request, struct reply *reply)
{
	struct db_rows *rows;
	struct error err;
	int rc = load(request, false, &rows, reply, &err);

	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
	} else if (reply->status == 0) {
		struct subscription subscription = subscription_of_row(rows, 0);

		answer_json(reply, 200, show(request, &subscription));
		reply_set_version(reply, subscription.version);
	}
	db_rows_free(rows);
}

static int
read_slice(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return subscriptions_list(request->db, request->caller.tenant_id, filter, slice, rows, err);
}

static cJSON *
show_row(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	struct subscription subscription = subscription_of_row(rows, row);

	return show(request, &subscription);
}

void
subscription_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 's', .read = read_slice, .show = show_row};
	struct subscription_filter filter = {.enabled = -1};
	char endpoint_id[OBJECT_ID_BYTES], pattern[QUERY_VALUE_BYTES], value[QUERY_VALUE_BYTES];

	if (query_value(request, "endpoint_id", value)) {
		if (!object_id_read(text(value), endpoint_id)) {
			answer_error(
			    reply, 400, "validation_error", "query: endpoint_id must be the id of an endpoint, a UUID");
			return;
		}
		filter.endpoint_id = text(endpoint_id);
	}
	if (query_value(request, "topic_pattern", pattern))
		filter.topic_pattern = text(pattern);
	if (query_bool(request, "enabled", &filter.enabled, reply))
		list_answer(request, &kind, &filter, reply);
}

/* ---- DELETE ---- */

static int delete (const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	struct db_rows *rows;
	int rc = load(request, true, &rows, reply, err);

	if (rc == 0 && reply->status == 0) {
		struct subscription before = subscription_of_row(rows, 0);
		const struct change change = {"subscription.delete", "subscription", before.id.base, tenant_id};

		rc = subscriptions_delete(request->db, tenant_id, before.id, err);
		if (rc == 0)
			rc = routing_raise_for_publishers(request->db, tenant_id, err);
		if (rc == 0)
			rc = change_removed(request, &change, show(request, &before), reply, err);
	}
	db_rows_free(rows);
	return rc;
}

void
subscription_delete(const struct request *request, struct reply *reply)
{
	(void)change_run(request, delete, NULL, reply);
}
