/* Filters are parameters that may be null: one text for each order, so no SQL is assembled. */
#include "store/webhooks/audit.h"

#include "base/clock.h"
#include "base/format.h"

static const struct db_statement add = {"INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, key_name, "
					"action, object_kind, object_id, before, after)"
					" VALUES ($1, $2, hl_now(), $3, $4, $5, $6, $7, $8, $9)",
    NULL};

#define COLUMNS                                                                                                        \
	"audit_id, tenant_id, hl_ms(created_at), key_id, key_name, action, object_kind, object_id, before, after"

/* PostgreSQL needs a cast for a parameter that is only compared with null. */
#define FILTERS                                                                                                        \
	" AND (CAST($3 AS text) IS NULL OR key_id = $3) AND (CAST($4 AS text) IS NULL OR action = $4)"                 \
	" AND (CAST($5 AS text) IS NULL OR object_kind = $5) AND (CAST($6 AS text) IS NULL OR object_id = $6)"         \
	" AND (CAST($7 AS bigint) IS NULL OR created_at >= hl_time($7))"                                               \
	" AND (CAST($8 AS bigint) IS NULL OR created_at < hl_time($8))"

/* Indexed by whether a tenant is named, then by order. $2 is a place, never null, so that an index gives the order. */
static const struct db_statement lists[2][2] = {
    {
	{"SELECT " COLUMNS " FROM audit_log WHERE CAST($9 AS text) IS NULL AND audit_id > $2" FILTERS
	 " ORDER BY audit_id LIMIT $1",
	    NULL},
	{"SELECT " COLUMNS " FROM audit_log WHERE CAST($9 AS text) IS NULL AND audit_id < $2" FILTERS
	 " ORDER BY audit_id DESC LIMIT $1",
	    NULL},
    },
    {
	{"SELECT " COLUMNS " FROM audit_log WHERE tenant_id = $9 AND audit_id > $2" FILTERS
	 " ORDER BY audit_id LIMIT $1",
	    NULL},
	{"SELECT " COLUMNS " FROM audit_log WHERE tenant_id = $9 AND audit_id < $2" FILTERS
	 " ORDER BY audit_id DESC LIMIT $1",
	    NULL},
    },
};

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

int
audit_add_by_service(struct db *db, struct uuid_source *ids, const struct audit_entry *entry, struct error *err)
{
	struct audit_entry whole = *entry;
	char text[FORMAT_UUID_BYTES + 1] = "";
	uint8_t id[16];

	uuid_v7(ids, clock_wall_us(), id);
	format_uuid(id, text);
	whole.audit_id = text;
	whole.key_id = "service";
	whole.key_name = NULL;
	return audit_add(db, &whole, err);
}

static struct db_param
time_or_null(int64_t ms)
{
	return ms < 0 ? db_null() : db_int(ms);
}

int
audit_list(struct db *db, const struct audit_filter *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	const struct db_param params[] = {
	    db_int(slice->limit),
	    list_after_id(slice),
	    db_string(filter->key_id),
	    db_string(filter->action),
	    db_string(filter->object_kind),
	    db_string(filter->object_id),
	    time_or_null(filter->from_ms),
	    time_or_null(filter->to_ms),
	    db_string(filter->tenant_id),
	};

	return db_query(db, &lists[filter->tenant_id != NULL][slice->descending], params, 9, rows, err);
}
