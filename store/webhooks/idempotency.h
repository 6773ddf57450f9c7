/* Remembers for 24 hours what a request with an Idempotency-Key has made. */
#ifndef STORE_WEBHOOKS_IDEMPOTENCY_H
#define STORE_WEBHOOKS_IDEMPOTENCY_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* The key of a request. */
struct idempotency {
	const char *tenant_id; /* the tenant that made the request */
	const char *route; /* "tenants" */
	struct span key; /* the client's */
	const char *fingerprint; /* of the request's content */
};

/*
 * Records in the open transaction that this key makes object_id. *rows is empty: this is the first request with the
 * key. Otherwise its one row has object_id and fingerprint of the first request. Waits for an open transaction with the
 * same key. Returns as db_query().
 */
int idempotency_claim(
    struct db *db, const struct idempotency *request, const char *object_id, struct db_rows **rows, struct error *err);

/* One of many requests recorded at once. */
struct idempotency_request {
	struct span tenant_id, key;
	const uint8_t *object_id; /* 16 bytes: what the request makes */
	char fingerprint[65]; /* text */
};

/*
 * The same for many requests of one route. No two may have the same tenant and key. Every transaction must pass them in
 * the order of tenants and keys, so that transactions with common keys do not deadlock. *others has a row for each
 * request whose key belongs to another object: the request's index, that object's id and fingerprint. Returns as
 * db_query().
 */
int idempotency_claim_all(struct db *db, const char *route, const struct idempotency_request *requests, uint32_t count,
    struct db_rows **others, struct error *err); /* six: of what, which, and what comes back */

/* Removes at most limit expired keys; *removed: how many. Returns as db_query(). */
int idempotency_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
