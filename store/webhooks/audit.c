/* Filters are parameters that may be null: one text for each order, and no SQL that is put together. */
#include "store/webhooks/audit.h"

static const struct db_statement add = {"INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, key_name, "
					"action, object_kind, object_id, before, after)"
					" VALUES ($1, $2, hl_now(), $3, $4, $5, $6, $7, $8, $9)",
    NULL};

#define COLUMNS                                                                                                        \
	"audit_id, tenant_id, hl_ms(created_at), key_id, key_name, action, object_kind, object_id, before, after"

/* PostgreSQL has to be told the type of a parameter that is only compared with null. */
#define WHERE                                                                                                          \
	" FROM audit_log WHERE (CAST($1 AS text) IS NULL OR tenant_id = $1)"                                           \
	" AND (CAST($2 AS text) IS NULL OR key_id = $2) AND (CAST($3 AS text) IS NULL OR action = $3)"                 \
	" AND (CAST($4 AS text) IS NULL OR object_kind = $4) AND (CAST($5 AS text) IS NULL OR object_id = $5)"         \
	" AND (CAST($6 AS bigint) IS NULL OR created_at >= hl_time($6))"                                               \
	" AND (CAST($7 AS bigint) IS NULL OR created_at < hl_time($7))"

static const struct db_statement ascending = {
    "SELECT " COLUMNS WHERE " AND (CAST($8 AS uuid) IS NULL OR audit_id > $8) ORDER BY audit_id LIMIT $9",
    "SELECT " COLUMNS WHERE " AND ($8 IS NULL OR audit_id > $8) ORDER BY audit_id LIMIT $9"};

static const struct db_statement descending = {
    "SELECT " COLUMNS WHERE " AND (CAST($8 AS uuid) IS NULL OR audit_id < $8) ORDER BY audit_id DESC LIMIT $9",
    "SELECT " COLUMNS WHERE " AND ($8 IS NULL OR audit_id < $8) ORDER BY audit_id DESC LIMIT $9"};

int
audit_add(struct db *db, const struct audit_entry *entry, struct error *err)
{
	const struct db_param params[] = {
	    db_string(entry->tenant_id),
	    db_string(entry->audit_id),
	    db_string(entry->key_id),
	    db_string(entry->key_name),
	    db_string(entry->action),
	    db_string(entry->object_kind),
	    db_string(entry->object_id),
	    db_text(entry->before),
	    db_text(entry->after),
	};

	return db_query(db, &add, params, sizeof params / sizeof *params, NULL, err);
}

static struct db_param
time_or_null(int64_t ms)
{
	return ms < 0 ? db_null() : db_int(ms);
}

int
audit_list(struct db *db, const struct audit_filter *filter, const struct audit_slice *slice, struct db_rows **rows,
    struct error *err)
{
	const struct db_param params[] = {
	    db_string(filter->tenant_id),
	    db_string(filter->key_id),
	    db_string(filter->action),
	    db_string(filter->object_kind),
	    db_string(filter->object_id),
	    time_or_null(filter->from_ms),
	    time_or_null(filter->to_ms),
	    db_string(slice->after),
	    db_int(slice->limit),
	};

	return db_query(
	    db, slice->descending ? &descending : &ascending, params, sizeof params / sizeof *params, rows, err);
}
