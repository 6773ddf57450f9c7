/* The row lives as long as the attempt may last, and a little longer: after that nobody waits for it. */
#include "control/endpoint_tests.h"

#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "base/clock.h"
#include "control/change.h"
#include "control/propagation.h"
#include "control/query.h"
#include "control/test_waits.h"
#include "control/tree.h"
#include "event/topic.h"
#include "shm/node.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoints.h"
#include "store/webhooks/test_rows.h"

#define PAYLOAD "{\"message\":\"This is a test. Nothing has happened, and nothing is to be done.\"}"
#define MARGIN_MS 2000 /* for everything except the attempt itself */

struct test {
	char attempt_id[OBJECT_ID_BYTES], endpoint_id[OBJECT_ID_BYTES];
	char topic[TOPIC_BYTES_MAX + 1];
	struct span payload;
	int64_t lasts_ms;
	int64_t version; /* version of changes raised by the transaction */
};

static int
audit(const struct request *request, const struct test *test, struct error *err)
{
	const struct change change = {"endpoint.test", "endpoint", test->endpoint_id, request->caller.tenant_id};
	cJSON *after = tree_new();
	int rc;

	tree_add_text(after, "attempt_id", (struct span){test->attempt_id, strlen(test->attempt_id)});
	tree_add_text(after, "topic", (struct span){test->topic, strlen(test->topic)});
	rc = change_audit(request, &change, NULL, after, err);
	cJSON_Delete(after);
	return rc;
}

static int
add(const struct request *request, struct test *test, struct error *err)
{
	struct node_row node;

	if (!node_read(&request->context->segment->header->node, &node)) {
		(void)error_set(err, "this node has no row in delivery_nodes now");
		return DB_BUSY;
	}
	const struct test_row row = {
	    .tenant_id = request->caller.tenant_id,
	    .attempt_id = test->attempt_id,
	    .endpoint_id = {test->endpoint_id, strlen(test->endpoint_id)},
	    .node_id = node.node_id,
	    .topic = {test->topic, strlen(test->topic)},
	    .payload = test->payload,
	    .lasts_ms = test->lasts_ms,
	};
	int rc = test_rows_add(request->db, &row, err);
	if (rc == 0)
		rc = audit(request, test, err);
	return rc == 0 ? changes_raise(request->db, &test->version, err) : rc;
}

static int
begin(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct test *test = context;
	struct db_rows *rows;
	bool exists;
	int rc = endpoints_get(request->db, request->caller.tenant_id,
	    (struct span){test->endpoint_id, strlen(test->endpoint_id)}, false, &rows, err);

	if (rc != 0)
		return rc;
	exists = db_rows_count(rows) > 0;
	if (exists)
		test->lasts_ms = endpoint_of_row(rows, 0).timeout_ms + MARGIN_MS;
	db_rows_free(rows);
	if (!exists) {
		answer_error(reply, 404, "not_found", "there is no such endpoint");
		return 0;
	}
	rc = add(request, test, err);
	if (rc == 0)
		answer_json(reply, 200, tree_new()); /* for change_run() */
	return rc;
}

/* Reads the body. false: the reply says what is wrong. */
static bool
read_body(const struct request *request, struct document *document, struct test *test, struct reply *reply)
{
	static const struct document_lengths lengths = {1, TOPIC_CHARS_MAX, false};
	size_t most = request->context->config->hl_max_payload_bytes;
	struct span topic = {TEST_TOPIC, strlen(TEST_TOPIC)};
	struct error err;

	if (document_string(document, "topic", &lengths, &topic) && topic_check(topic, &err) != 0)
		(void)document_refuse(document, "topic", "%s", err.text);
	(void)snprintf(test->topic, sizeof test->topic, "%.*s", (int)topic.len, topic.base);
	(void)document_value(document, "payload", most, &test->payload);
	for (size_t i = 0; i < document->count; i++)
		if (!document->members[i].known)
			(void)document_refuse(document, NULL, "has a member that is none of topic and payload");
	if (document->error->code == NULL)
		return true;
	answer_error(reply, 400, document->error->code, "%s", document->error->detail);
	return false;
}

static bool
may_begin(const struct request *request, struct reply *reply)
{
	switch (test_waits_room(request->context->tests, request->caller.tenant_id)) {
	case TEST_WAITS_ROOM:
		return true;
	case TEST_WAITS_TENANT_FULL:
		reply->retry_after_seconds = 1;
		answer_error(reply, 429, "rate_limited",
		    "%d tests of this tenant are under way: wait until one has ended", TEST_WAITS_TENANT_MOST);
		return false;
	case TEST_WAITS_FULL:
		break;
	}
	reply->retry_after_seconds = 1;
	answer_error(reply, 503, "overloaded", "%d tests of endpoints are under way; try again", TEST_WAITS_MOST);
	return false;
}

void
endpoint_test(const struct request *request, struct reply *reply)
{
	struct test test = {.payload = {PAYLOAD, strlen(PAYLOAD)}};
	struct document_error error = {0};
	struct document document;

	object_id_make(test.attempt_id);
	if (!document_open(&document, request->body, &error)) {
		answer_error(reply, 400, error.code, "%s", error.detail);
	} else if (!object_id_read(request->params[0], test.endpoint_id)) {
		answer_error(reply, 404, "not_found", "there is no such endpoint");
	} else if (read_body(request, &document, &test, reply) && may_begin(request, reply) &&
		   change_run(request, begin, &test, reply)) {
		propagation_wake_couriers(request->context->segment, test.version);
		reply_reset(reply);
		reply->open_until_us = clock_steady_us() + test.lasts_ms * 1000;
		memcpy(reply->attempt_id, test.attempt_id, sizeof reply->attempt_id);
	}
	document_close(&document);
}
