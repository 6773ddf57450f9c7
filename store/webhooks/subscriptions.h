/*
 * Subscriptions and their transforms in the webhooks' store. A subscription of a deleted endpoint is neither read nor
 * counted, and upkeep removes it. Ids are UUIDs in lower case.
 *
 * The functions return what db_query() does (store/db.h). Those that change something are for a transaction.
 */
#ifndef STORE_WEBHOOKS_SUBSCRIPTIONS_H
#define STORE_WEBHOOKS_SUBSCRIPTIONS_H

#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/* A row. Texts are borrowed from db_rows or from a document; base NULL: null. */
struct subscription {
	struct span id; /* UUIDv7 */
	int64_t version; /* 1 when it was made */
	struct span endpoint_id, topic_pattern;
	struct span filter; /* JSON, as sent; may be null, as the following */
	struct span transform_id;
	struct span transform; /* the steps, JSON; read only: transforms_put() stores them */
	bool enabled;
	struct span name, description; /* may be null, as the following */
	struct span metadata, extra; /* JSON objects, as sent */
	int64_t created_at, updated_at; /* ms since 1970 */
};

/* The subscription of a row of the functions below; it borrows from rows. */
struct subscription subscription_of_row(const struct db_rows *rows, uint32_t row);

/*
 * Reads one. *rows has one row, or none: there is no such subscription. for_update: in a transaction; locks the row
 * until its end.
 */
int subscriptions_get(struct db *db, const char *tenant_id, struct span id, bool for_update, struct db_rows **rows,
    struct error *err); /* six: a key, how, and what comes back */

/* Makes one, of version 1, created now. */
int subscriptions_insert(
    struct db *db, const char *tenant_id, const struct subscription *subscription, struct error *err);

/* Writes all members but id, version, which goes up by one, and transform. */
int subscriptions_update(
    struct db *db, const char *tenant_id, const struct subscription *subscription, struct error *err);

/* Removes the row: the jobs that it made do not need it. */
int subscriptions_delete(struct db *db, const char *tenant_id, struct span id, struct error *err);

/* Which subscriptions of a tenant. */
struct subscription_filter {
	struct span endpoint_id, topic_pattern; /* only those; base NULL: all */
	int enabled; /* 1 or 0: only those; -1: all */
};

/* In the order of their ids. */
int subscriptions_list(struct db *db, const char *tenant_id, const struct subscription_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err); /* six: a filter and a slice */

/* Totals of all subscriptions of a tenant. */
struct subscription_totals {
	int64_t pairs; /* different pairs of endpoint and transform */
	int64_t rule_bytes; /* patterns and filters, and SUBSCRIPTION_BYTES for each subscription */
};

/* A subscription's memory in a publisher besides its texts. */
#define SUBSCRIPTION_BYTES 100

int subscriptions_measure(struct db *db, const char *tenant_id, struct subscription_totals *totals, struct error *err);

/* *exists: whether the endpoint exists; if so it cannot be deleted until the transaction ends. */
int subscriptions_hold_endpoint(struct db *db, const char *tenant_id, struct span id, bool *exists, struct error *err);

/* Stores a transform, unless a row with that id exists. */
int transforms_put(
    struct db *db, const char *tenant_id, struct span transform_id, struct span steps, struct error *err);

/* Reads its steps: one row of one column, or none. */
int transforms_get(
    struct db *db, const char *tenant_id, const uint8_t transform_id[16], struct db_rows **rows, struct error *err);

#endif
