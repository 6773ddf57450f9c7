/* A key without admin sees its own tenant; a key with admin sees all tenants, or the one in the query. */
#include "control/audit.h"

#include <string.h>

#include "api/scopes.h"
#include "control/listing.h"
#include "control/query.h"
#include "control/tree.h"
#include "store/webhooks/audit.h"

static int
read_slice(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return audit_list(request->db, filter, slice, rows, err);
}

static cJSON *
show_row(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, AUDIT_COLUMN_ID));
	tree_add_text(tree, "audit_id", db_rows_text(rows, row, AUDIT_COLUMN_ID));
	tree_add_text(tree, "tenant_id", db_rows_text(rows, row, AUDIT_COLUMN_TENANT_ID));
	tree_add_int(tree, "created_at", db_rows_int(rows, row, AUDIT_COLUMN_CREATED_MS));
	tree_add_text(tree, "key_id", db_rows_text(rows, row, AUDIT_COLUMN_KEY_ID));
	tree_add_text(tree, "key_name", db_rows_text(rows, row, AUDIT_COLUMN_KEY_NAME));
	tree_add_text(tree, "action", db_rows_text(rows, row, AUDIT_COLUMN_ACTION));
	tree_add_text(tree, "object_kind", db_rows_text(rows, row, AUDIT_COLUMN_OBJECT_KIND));
	tree_add_text(tree, "object_id", db_rows_text(rows, row, AUDIT_COLUMN_OBJECT_ID));
	tree_add_json(tree, "before", db_rows_text(rows, row, AUDIT_COLUMN_BEFORE), "null");
	tree_add_json(tree, "after", db_rows_text(rows, row, AUDIT_COLUMN_AFTER), "null");
	return tree;
}

/* Reads a value of the query into out, for the filter; NULL: none. */
static const char *
text_of(const struct request *request, const char *name, char out[QUERY_VALUE_BYTES])
{
	return query_value(request, name, out) ? out : NULL;
}

void
audit_show(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'l', .descending = true, .read = read_slice, .show = show_row};
	char tenant_id[QUERY_VALUE_BYTES], key_id[QUERY_VALUE_BYTES], action[QUERY_VALUE_BYTES];
	char object_kind[QUERY_VALUE_BYTES], object_id[QUERY_VALUE_BYTES];
	struct audit_filter filter = {
	    .tenant_id = text_of(request, "tenant_id", tenant_id),
	    .key_id = text_of(request, "key_id", key_id),
	    .action = text_of(request, "action", action),
	    .object_kind = text_of(request, "object_kind", object_kind),
	    .object_id = text_of(request, "object_id", object_id),
	    .from_ms = -1,
	    .to_ms = -1,
	};
	const int64_t last_ms = INT64_C(253402300799999); /* of the year 9999 */

	if (!scopes_allow(request->caller.scopes, SCOPE_ADMIN)) {
		if (filter.tenant_id != NULL && strcmp(filter.tenant_id, request->caller.tenant_id) != 0) {
			answer_forbidden(reply, scope_name(SCOPE_ADMIN), "tenant_id is another tenant's");
			return;
		}
		filter.tenant_id = request->caller.tenant_id;
	}
	if (query_int(request, "from_ms", 0, last_ms, &filter.from_ms, reply) &&
	    query_int(request, "to_ms", 0, last_ms, &filter.to_ms, reply))
		list_answer(request, &kind, &filter, reply);
}
