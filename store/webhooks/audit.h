/* The audit log: who changed what, written in the transaction of the change. */
#ifndef STORE_WEBHOOKS_AUDIT_H
#define STORE_WEBHOOKS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/uuid.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/* A row. before and after are JSON without secrets; base NULL: none. */
struct audit_entry {
	const char *tenant_id; /* the tenant of the changed object */
	const char *audit_id; /* UUIDv7 */
	const char *key_id, *key_name; /* the key that asked for it */
	const char *action; /* "endpoint.update" */
	const char *object_kind, *object_id; /* "endpoint" and its id */
	struct span before, after;
};

/* Adds the row in the open transaction. Returns as db_query(). */
int audit_add(struct db *db, const struct audit_entry *entry, struct error *err);

/*
 * The same for a change by the service itself. Ignores audit_id, key_id and key_name of the entry: the row gets an id
 * from `ids`, and "service" in place of a key.
 */
int audit_add_by_service(struct db *db, struct uuid_source *ids, const struct audit_entry *entry, struct error *err);

/* Filters. NULL, or a time below 0: no filter. */
struct audit_filter {
	const char *tenant_id;
	const char *key_id, *action, *object_kind, *object_id;
	int64_t from_ms, to_ms; /* created_at: from <= created_at < to */
};

/* Columns of audit_list(). */
enum audit_column {
	AUDIT_COLUMN_ID,
	AUDIT_COLUMN_TENANT_ID,
	AUDIT_COLUMN_CREATED_MS,
	AUDIT_COLUMN_KEY_ID,
	AUDIT_COLUMN_KEY_NAME, /* may be null */
	AUDIT_COLUMN_ACTION,
	AUDIT_COLUMN_OBJECT_KIND,
	AUDIT_COLUMN_OBJECT_ID,
	AUDIT_COLUMN_BEFORE, /* may be null */
	AUDIT_COLUMN_AFTER, /* may be null */
};

/* The rows in the order of their ids. Returns as db_query(). */
int audit_list(struct db *db, const struct audit_filter *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err);

#endif
