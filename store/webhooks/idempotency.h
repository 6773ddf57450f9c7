/* What was made by a request with an Idempotency-Key, remembered for 24 hours. */
#ifndef STORE_WEBHOOKS_IDEMPOTENCY_H
#define STORE_WEBHOOKS_IDEMPOTENCY_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* The key of a request. */
struct idempotency {
	const char *tenant_id; /* whose request it is */
	const char *route; /* "tenants" */
	struct span key; /* the client's */
	const char *fingerprint; /* of what is asked for */
};

/*
 * Remembers, in the transaction that db_begin() began, that this key makes object_id. *rows is empty: it is the first
 * request with the key. Else one row has the columns object_id and fingerprint of the first one; another transaction
 * that is about to make it is waited for. Returns as db_query().
 */
int idempotency_claim(
    struct db *db, const struct idempotency *request, const char *object_id, struct db_rows **rows, struct error *err);

/* One of many requests that are remembered at once. */
struct idempotency_request {
	struct span tenant_id, key;
	const uint8_t *object_id; /* 16 bytes: what the request makes */
	char fingerprint[65]; /* text */
};

/*
 * The same for many requests of one route. No two are of the same tenant and key, and all transactions name them in the
 * order of tenants and keys: so of two that have keys in common one waits. *others has a row for each request whose key
 * is another object's: the request's index, that object's id and its fingerprint. Returns as db_query().
 */
int idempotency_claim_all(struct db *db, const char *route, const struct idempotency_request *requests, uint32_t count,
    struct db_rows **others, struct error *err); /* six: of what, which, and what comes back */

/* Removes at most limit keys that are free again; *removed: how many. Returns as db_query(). */
int idempotency_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
