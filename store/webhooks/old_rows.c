/* Slices are short, so that others can write in between. */
#include "store/webhooks/old_rows.h"

int
old_rows_remove(struct db *db, const struct db_statement *remove, const struct db_param *params, size_t count,
    uint32_t *removed, struct error *err) /* six: a statement and its parameters, and the result */
{
	struct db_rows *rows = NULL;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, remove, params, count, &rows, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		*removed = db_rows_count(rows);
	db_rows_free(rows);
	return rc;
}
