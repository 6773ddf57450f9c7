/* The secrets of endpoints as they are stored, of all tenants: for a change of the master key. */
#ifndef STORE_WEBHOOKS_SECRET_ROWS_H
#define STORE_WEBHOOKS_SECRET_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* A row. The texts are borrowed, from db_rows or from the caller. */
struct secret_row {
	struct span tenant_id, endpoint_id;
	int64_t version; /* of the endpoint */
	struct span secret, old_secret, headers; /* as stored; old_secret may be null (base NULL) */
};

struct secret_row secret_row_of(const struct db_rows *rows, uint32_t row);

/*
 * The rows behind that endpoint (NULL: from the first), at most limit, in the order of tenant and endpoint. Returns as
 * db_query().
 */
int secret_rows_after(struct db *db, const char *tenant_id, const char *endpoint_id, uint32_t limit,
    struct db_rows **rows, struct error *err); /* six: where, how far, and what comes back */

/*
 * Writes the texts in the open transaction, unless the endpoint's version has changed; *written: whether it did. Does
 * not raise the version: the secrets are the same. Returns as db_query().
 */
int secret_rows_write(struct db *db, const struct secret_row *row, bool *written, struct error *err);

/*
 * Counts endpoints by the key that encrypted their secrets. Columns: the first characters of such a secret, including
 * the key's fingerprint (api/secrets.h), and the count. Returns as db_query().
 */
int secret_rows_by_key(struct db *db, struct db_rows **rows, struct error *err);

#endif
