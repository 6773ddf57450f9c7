/* One text serves both databases, because both have hl_now(). */
#include "store/webhooks/store_clock.h"

int
store_clock_now(struct db *db, int64_t *now_ms, struct error *err)
{
	static const struct db_statement now = {"SELECT hl_ms(hl_now())"};
	struct db_rows *rows;
	int rc = db_query(db, &now, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*now_ms = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}
