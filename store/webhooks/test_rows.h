/*
 * The table endpoint_tests: requested single attempts at endpoints. Control adds a row; a courier of the same node
 * makes the attempt, and removes the row in the transaction that stores the result. The functions return what
 * db_query() does.
 */
#ifndef STORE_WEBHOOKS_TEST_ROWS_H
#define STORE_WEBHOOKS_TEST_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* A requested test. Everything is borrowed. */
struct test_row {
	const char *tenant_id;
	const char *attempt_id; /* the UUIDv7 of the future attempt */
	struct span endpoint_id;
	int64_t node_id; /* the node whose courier makes it */
	struct span topic, payload; /* payload: JSON */
	int64_t lasts_ms; /* it may begin within this time */
};

/* Adds it, in a transaction. */
int test_rows_add(struct db *db, const struct test_row *row, struct error *err);

enum test_column { TEST_COLUMN_TENANT, TEST_COLUMN_ATTEMPT, TEST_COLUMN_ENDPOINT, TEST_COLUMN_LASTS };

/*
 * The tests of a node, at most TEST_ROWS_MAX, newest first, without those that expired more than a minute ago. LASTS:
 * whether it may still begin. In a transaction or without.
 */
#define TEST_ROWS_MAX 100
int test_rows_list(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err);

/*
 * The event of a test, as a row of job_rows_events() whose job_id is the attempt's id; no row: the test has ended. In a
 * transaction or without.
 */
int test_rows_event(
    struct db *db, const char *tenant_id, const uint8_t attempt_id[16], struct db_rows **rows, struct error *err);

/* Removes one, in a transaction. *exists: it existed, and nobody else ends it. */
int test_rows_end(struct db *db, const char *tenant_id, const uint8_t attempt_id[16], bool *exists, struct error *err);

/*
 * Removes at most limit tests of all tenants that expired six minutes ago: no attempt takes longer than five. In no
 * transaction. *removed: how many.
 */
int test_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
