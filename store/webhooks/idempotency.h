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

/* Removes at most limit keys that are free again; *removed: how many. Returns as db_query(). */
int idempotency_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
