/*
 * The successor of a dead courier starts its unfinished tests again: the receiver may get a request twice, with the
 * same ids.
 */
#include "courier/test_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "courier/test_outcome.h"
#include "event/handover.h"
#include "shm/node.h"
#include "store/webhooks/stored_event.h"
#include "store/webhooks/test_rows.h"

struct sent_test {
	struct id_link link; /* first */
	uint32_t seen; /* the last look that found its row */
};

/* The ids of a test of this courier. */
struct ids {
	const char *tenant_id;
	uint8_t endpoint_id[16], attempt_id[16];
};

/* The id of the test's event: the attempt's id with zeros in place of the job's number. Job 1 of it has the id + 1. */
static void
event_id_of(const uint8_t attempt_id[16], uint8_t event_id[16])
{
	memcpy(event_id, attempt_id, 16);
	event_id[14] = event_id[15] = 0;
}

/* Why no request can be sent; NULL: it can. */
static const char *
obstacle(const struct endpoint_config *endpoint)
{
	if (endpoint == NULL)
		return "no attempt was made: the endpoint is deleted, or cannot be read";
	if (endpoint->secrets_missing)
		return "no attempt was made: the master key of the endpoint's secrets is not in the configuration";
	return endpoint->damaged ? "no attempt was made: the endpoint cannot be used as it is stored" : NULL;
}

static int
fail(struct db *db, const struct ids *ids, const char *why, struct error *err)
{
	struct attempt_result result = {.end = ATTEMPT_INTERNAL,
	    .started_us = clock_wall_us(),
	    .dns_ms = -1,
	    .connect_ms = -1,
	    .tls_ms = -1,
	    .first_byte_ms = -1};

	memcpy(result.attempt_id, ids->attempt_id, sizeof result.attempt_id);
	(void)snprintf(result.error, sizeof result.error, "%s", why);
	return test_outcome_write(db, ids->tenant_id, ids->endpoint_id, &result, err);
}

/* Sets *event to the bytes of a record, which the caller frees; NULL: the test is over, or its row was edited. */
static int
read_event(struct db *db, const struct ids *ids, char **event, struct error *err)
{
	const struct span tenant_id = {ids->tenant_id, strlen(ids->tenant_id)};
	struct bytes memory = {0};
	struct db_rows *rows;
	uint8_t event_id[16];
	int rc = test_rows_event(db, ids->tenant_id, ids->attempt_id, &rows, err);

	*event = NULL;
	if (rc != 0)
		return rc == DB_REFUSED ? 0 : rc;
	event_id_of(ids->attempt_id, event_id);
	if (db_rows_count(rows) == 0 || !stored_event_add(&memory, tenant_id, event_id, rows, 0))
		bytes_free(&memory);
	db_rows_free(rows);
	*event = memory.base;
	return 0;
}

static int
send_test(struct test_watch *watch, struct db *db, const struct ids *ids, struct error *err)
{
	struct endpoint_config *endpoint;
	struct message *message;
	const char *why;
	char *event = NULL;
	int rc = endpoint_read(watch->endpoints, db, ids->tenant_id, ids->endpoint_id, &endpoint, err);

	if (rc != 0)
		return rc;
	why = obstacle(endpoint);
	if (why == NULL)
		rc = read_event(db, ids, &event, err);
	if (rc == 0 && why == NULL && event == NULL)
		why = "no attempt was made: the event of the test is gone";
	if (rc == 0 && why != NULL)
		rc = fail(db, ids, why, err);
	if (rc != 0 || why != NULL) {
		endpoint_config_unref(endpoint);
		free(event);
		return rc;
	}
	message = message_new(MESSAGE_TEST, ids->tenant_id, ids->endpoint_id);
	memcpy(message->attempt_id, ids->attempt_id, sizeof message->attempt_id);
	message->config = endpoint;
	message->memory = event;
	message_queue_put(watch->messages, message);
	return 0;
}

static void
remember(struct test_watch *watch, const uint8_t attempt_id[16])
{
	struct sent_test *test = mem_new(1, sizeof *test);

	memcpy(test->link.id, attempt_id, sizeof test->link.id);
	test->seen = watch->looks;
	id_table_add(&watch->sent, &test->link);
}

static void
forget(struct test_watch *watch, struct sent_test *test)
{
	id_table_remove(&watch->sent, &test->link);
	free(test);
}

static void
forget_unseen(struct test_watch *watch)
{
	uint32_t count = watch->sent.count;
	struct id_link **links;

	if (count == 0)
		return;
	links = id_table_list(&watch->sent);
	for (uint32_t i = 0; i < count; i++) {
		struct sent_test *test = (struct sent_test *)links[i];

		if (test->seen != watch->looks)
			forget(watch, test);
	}
	free(links);
}

static bool
read_ids(const struct db_rows *rows, uint32_t row, struct ids *ids)
{
	struct span endpoint = db_rows_text(rows, row, TEST_COLUMN_ENDPOINT),
		    attempt = db_rows_text(rows, row, TEST_COLUMN_ATTEMPT);

	ids->tenant_id = db_rows_text(rows, row, TEST_COLUMN_TENANT).base;
	return uuid_parse(endpoint.base, endpoint.len, ids->endpoint_id) &&
	       uuid_parse(attempt.base, attempt.len, ids->attempt_id);
}

static int
look_at_row(struct test_watch *watch, struct db *db, const struct db_rows *rows, uint32_t row, struct error *err)
{
	struct ids ids;
	struct sent_test *test;
	int rc = 0;

	if (!read_ids(rows, row, &ids) ||
	    handover_courier(ids.endpoint_id, watch->segment->counts[ROLE_COURIER]) != watch->courier)
		return 0;
	test = (struct sent_test *)id_table_find(&watch->sent, ids.attempt_id);
	if (test != NULL)
		test->seen = watch->looks;
	else if (db_rows_bool(rows, row, TEST_COLUMN_LASTS))
		rc = send_test(watch, db, &ids, err);
	if (rc == 0 && test == NULL)
		remember(watch, ids.attempt_id);
	return rc;
}

/* Only tests need the table: the follower goes on. */
static void
log_refused(struct test_watch *watch, const struct error *why)
{
	uint64_t times = repeat_met(&watch->refused, clock_steady_us());

	if (times > 0)
		log_warning("the store refuses to list the tests of endpoints", LOG_STR("error", why->text),
		    LOG_UINT("times", times));
}

int
test_watch_look(struct test_watch *watch, struct db *db, struct error *err)
{
	struct node_row node;
	struct db_rows *rows;
	int rc;

	if (!node_read(&watch->segment->header->node, &node))
		return 0;
	rc = test_rows_list(db, node.node_id, &rows, err);
	if (rc == DB_REFUSED) {
		log_refused(watch, err);
		return 0;
	}
	if (rc != 0)
		return rc;
	watch->looks++;
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++)
		rc = look_at_row(watch, db, rows, row, err);
	db_rows_free(rows);
	if (rc == 0)
		forget_unseen(watch);
	return rc;
}

void
test_watch_free(struct test_watch *watch)
{
	watch->looks++;
	forget_unseen(watch);
	id_table_free(&watch->sent);
}
