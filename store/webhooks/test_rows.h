/*
 * The table endpoint_tests: single attempts at endpoints that somebody has asked for. Control adds a row, a courier of
 * the same node makes the attempt, and removes the row in the transaction that stores what came of it. The functions
 * return what db_query() does.
 */
#ifndef STORE_WEBHOOKS_TEST_ROWS_H
#define STORE_WEBHOOKS_TEST_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* A test that is asked for. Everything is borrowed. */
struct test_row {
	const char *tenant_id;
	const char *attempt_id; /* a UUIDv7, which the attempt is to have */
	struct span endpoint_id;
	int64_t node_id; /* whose courier makes it */
	struct span topic, payload; /* the latter JSON */
	int64_t lasts_ms; /* so long from now on it may be begun */
};

/* Adds it, in a transaction. */
int test_rows_add(struct db *db, const struct test_row *row, struct error *err);

enum test_column { TEST_COLUMN_TENANT, TEST_COLUMN_ATTEMPT, TEST_COLUMN_ENDPOINT, TEST_COLUMN_LASTS };

/*
 * Those of a node, at most TEST_ROWS_MAX, the newest first, without those whose time has been over for a minute. LASTS:
 * whether it may still be begun. In a transaction or without.
 */
#define TEST_ROWS_MAX 100
int test_rows_list(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err);

/*
 * The event of a test, as a row of job_rows_events() whose job_id is the attempt's id; none: the test is over. In a
 * transaction or without.
 */
int test_rows_event(
    struct db *db, const char *tenant_id, const uint8_t attempt_id[16], struct db_rows **rows, struct error *err);

/* Removes one, in a transaction. *there: it was there; nobody else ends it. */
int test_rows_end(struct db *db, const char *tenant_id, const uint8_t attempt_id[16], bool *there, struct error *err);

/*
 * Removes at most limit of all tenants whose time has been over for six minutes, in no transaction: no attempt takes
 * longer than five. *removed: how many.
 */
int test_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
