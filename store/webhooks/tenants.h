/*
 * Tenants in the webhooks' store. The functions do not see tenants whose deleted_at is set; their ids stay taken until
 * upkeep has removed everything of them (store/webhooks/removal.h).
 *
 * The functions return what db_query() does (store/db.h). Those that change something are for a transaction.
 */
#ifndef STORE_WEBHOOKS_TENANTS_H
#define STORE_WEBHOOKS_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/* Columns of tenants_get() and tenants_list(). */
enum tenant_column {
	TENANT_COLUMN_ID,
	TENANT_COLUMN_NAME,
	TENANT_COLUMN_STATUS,
	TENANT_COLUMN_METADATA, /* JSON, as sent; may be null */
	TENANT_COLUMN_CREATED_MS,
	TENANT_COLUMN_UPDATED_MS,
	TENANT_COLUMN_KEYS, /* how many valid API keys it has */
};

/* Makes one. DB_REFUSED with db_conflict(): the id is taken. metadata: JSON, base NULL is null. */
int tenants_insert(struct db *db, const char *tenant_id, struct span name, struct span metadata, struct error *err);

/*
 * Reads one. *rows has one row, or none: there is no such tenant. for_update: in a transaction; locks the row until its
 * end, also against tenants_hold().
 */
int tenants_get(struct db *db, const char *tenant_id, bool for_update, struct db_rows **rows, struct error *err);

/* *exists: whether the tenant exists; if so it cannot be deleted until the transaction ends. */
int tenants_hold(struct db *db, const char *tenant_id, bool *exists, struct error *err);

int tenants_update(struct db *db, const char *tenant_id, struct span name, struct span metadata, struct error *err);

/* Marks it as deleted. */
int tenants_delete(struct db *db, const char *tenant_id, struct error *err);

/* In the order of their ids. */
int tenants_list(struct db *db, const struct list_slice *slice, struct db_rows **rows, struct error *err);

/* The number of tenants. */
int tenants_count(struct db *db, int64_t *count, struct error *err);

/* Columns of tenants_stats(), and members of the API's document. */
#define TENANT_FIGURES(X)                                                                                              \
	X(queue_depth)                                                                                                 \
	X(dlq_count)                                                                                                   \
	X(api_keys)                                                                                                    \
	X(event_count)                                                                                                 \
	X(endpoint_count)                                                                                              \
	X(subscription_count)                                                                                          \
	X(delivery_count)

/* Waiting jobs of that tenant (NULL: of all) by upkeep's last count. Returns as db_query(). */
int tenants_waiting(struct db *db, const char *tenant_id, int64_t *waiting, struct error *err);

/*
 * One row, or none: there is no such tenant. Keys, endpoints and subscriptions are counted now; the other figures are
 * by upkeep's last count, 0 before the first.
 */
int tenants_stats(struct db *db, const char *tenant_id, struct db_rows **rows, struct error *err);

#endif
