/* Adds rows to the table `attempts`. */
#ifndef STORE_WEBHOOKS_ATTEMPT_ROWS_H
#define STORE_WEBHOOKS_ATTEMPT_ROWS_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* A row. Everything is borrowed; a text without a base is null. */
struct attempt_row {
	struct span tenant_id;
	const uint8_t *attempt_id, *job_id, *event_id,
	    *endpoint_id; /* 16 bytes each; of a test job and event are NULL */
	int64_t started_us; /* wall clock */
	int32_t duration_ms, dns_ms, connect_ms, tls_ms, first_byte_ms; /* below 0: null, duration_ms 0 */
	uint32_t attempt_n; /* up to INT16_MAX */
	int32_t http_status; /* 0: null */
	struct span peer_address, error, certificate_error, response_body;
};

/*
 * Drops the rows of deleted tenants, and those of an earlier tenant with the same id: the tenant was made after the
 * attempt began and has no such endpoint. Moves the remaining rows to the front and sets *count. Call it in the
 * transaction that adds them: a tenant deleted meanwhile is removed only after its end. As db_query().
 */
int attempt_rows_of_tenants(struct db *db, struct attempt_row *rows, uint32_t *count, struct error *err);

/*
 * Adds rows in the open transaction; count may be 0. As db_query(); an existing row is DB_REFUSED with db_conflict() or
 * db_unexplained().
 */
int attempt_rows_add(struct db *db, const struct attempt_row *rows, uint32_t count, struct error *err);

/* The same, but leaves existing rows as they are. */
int attempt_rows_repeat(struct db *db, const struct attempt_row *rows, uint32_t count, struct error *err);

/* Adds the row of a test, in the transaction. As db_query(). */
int attempt_rows_add_test(struct db *db, const struct attempt_row *row, struct error *err);

#endif
