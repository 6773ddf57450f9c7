/* Makes PostgreSQL read lists by their indexes. */
#include "store/webhooks/list_sql.h"

/* Otherwise the planner might sort the whole list, and its high estimate would start the JIT compiler as well. */
static const struct db_statement in_order = {
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true), "
    "set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true)",
    "SELECT 1"};

static int
begin(struct db *db, struct error *err)
{
	int rc = db_begin_to_read(db, err);

	return rc == 0 ? db_query(db, &in_order, NULL, 0, NULL, err) : rc;
}

int
list_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err)
{
	int rc = begin(db, err);

	if (rc == 0)
		rc = db_query(db, statement, params, count, rows, err);
	db_rollback(db);
	return rc;
}

int
list_each(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t count,
    struct db_rows **rows, struct error *err)
{
	int rc = begin(db, err);

	if (rc == 0)
		rc = db_each(db, each, values, count, rows, err);
	db_rollback(db);
	return rc;
}
