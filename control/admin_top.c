/* Asks the store three questions, each bounded (store/webhooks/top_rows.h). */
#include "control/admin_top.h"

#include "control/tree.h"
#include "store/webhooks/top_rows.h"

/* A column of the rows, and the name of its member in the reply. */
struct member {
	const char *name;
	bool is_text;
};

/* Makes an array of the first columns. most: the column by which rows are sorted; rows with 0 are left out. */
static cJSON *
list(const struct db_rows *rows, const struct member *members, uint32_t count, uint32_t most)
{
	cJSON *items = cJSON_CreateArray();

	for (uint32_t row = 0; row < db_rows_count(rows) && db_rows_int(rows, row, most) > 0; row++) {
		cJSON *item = tree_new();

		for (uint32_t column = 0; column < count; column++)
			if (members[column].is_text)
				tree_add_text(item, members[column].name, db_rows_text(rows, row, column));
			else
				tree_add_int(item, members[column].name, db_rows_int(rows, row, column));
		(void)cJSON_AddItemToArray(items, item);
	}
	return items;
}

/* Reads the last column, which is the same in each row. */
static int64_t
looked_at(const struct db_rows *rows, uint32_t column)
{
	return db_rows_count(rows) > 0 ? db_rows_int(rows, 0, column) : 0;
}

static int
add_tenants(cJSON *tree, const struct request *request, const struct top_question *question, struct error *err)
{
	static const struct member members[] = {{"tenant_id", true}, {"queue_depth", false}};
	struct db_rows *rows;
	int rc = top_tenants(request->db, question, &rows, err);

	if (rc == 0)
		tree_add(tree, "tenants", list(rows, members, 2, 1));
	db_rows_free(rows);
	return rc;
}

static int
add_waiting(cJSON *tree, const struct request *request, const struct top_question *question, struct error *err)
{
	static const struct member members[] = {{"tenant_id", true}, {"endpoint_id", true}, {"waiting", false}};
	struct db_rows *rows;
	int rc = top_waiting(request->db, question, &rows, err);

	if (rc == 0) {
		tree_add(tree, "waiting", list(rows, members, 3, 2));
		tree_add_int(tree, "jobs_counted", looked_at(rows, 3));
		tree_add_bool(tree, "jobs_complete", looked_at(rows, 3) < TOP_JOBS_MOST);
	}
	db_rows_free(rows);
	return rc;
}

static int
add_failing(cJSON *tree, const struct request *request, const struct top_question *question, struct error *err)
{
	static const struct member members[] = {
	    {"tenant_id", true}, {"endpoint_id", true}, {"failures", false}, {"attempts", false}};
	struct db_rows *rows;
	int rc = top_failing(request->db, question, &rows, err);

	if (rc == 0) {
		tree_add(tree, "failing", list(rows, members, 4, 2));
		tree_add_int(tree, "attempts_counted", looked_at(rows, 4));
		tree_add_bool(tree, "attempts_complete", looked_at(rows, 4) < TOP_ATTEMPTS_MOST);
		tree_add_int(tree, "attempts_window_ms", TOP_WINDOW_MS);
	}
	db_rows_free(rows);
	return rc;
}

int
admin_top(const struct request *request, const char *tenant_id, uint32_t most, cJSON **tree, struct error *err)
{
	const struct top_question question = {tenant_id, most, request->context->config->hl_store == HL_STORE_POSTGRES};
	cJSON *made = tree_new();
	int rc = add_tenants(made, request, &question, err);

	if (rc == 0)
		rc = add_waiting(made, request, &question, err);
	if (rc == 0)
		rc = add_failing(made, request, &question, err);
	*tree = rc == 0 ? made : NULL;
	if (rc != 0)
		cJSON_Delete(made);
	return rc;
}
