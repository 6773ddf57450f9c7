/* The functions of schema/postgres/004_months.sql do the work, as the owner of the tables, and wait for no lock. */
#include "store/webhooks/months.h"

#include <string.h>

#include "base/log.h"

static const struct db_statement make_months = {
    .postgres = "SELECT partition_name, outcome FROM ensure_partitions($1::text::regclass, $2::int, "
		"(now() AT TIME ZONE 'UTC')::date) WHERE outcome <> 'exists'",
    .sqlite = "SELECT $1, $2 WHERE 0",
};

static const char *
why(const char *outcome)
{
	if (strcmp(outcome, "busy") == 0)
		return "the table is in use by a long query or an open transaction";
	return "many of its rows are in the default partition: call create_monthly_partition(), see docs/dba.md";
}

/* Returns how many months cannot be made. */
static uint32_t
log_months(const struct db_rows *rows)
{
	uint32_t missing = 0;

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct log_field name = LOG_STR("month", db_rows_text(rows, row, 0).base);
		const char *outcome = db_rows_text(rows, row, 1).base;

		if (strcmp(outcome, "created") == 0) {
			log_info("the partition of a month is there", name, LOG_STR("outcome", outcome));
			continue;
		}
		missing++;
		log_warning("the partition of a month cannot be made now", name, LOG_STR("reason", why(outcome)),
		    LOG_STR("meanwhile", "its rows go to the default partition"));
	}
	return missing;
}

/* One transaction per table, so that no lock is held while waiting for another. */
static int
make_ahead(struct db *db, const char *parent, uint32_t ahead, uint32_t *missing, struct error *err)
{
	const struct db_param params[] = {db_string(parent), db_int(ahead)};
	struct db_rows *rows = NULL;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &make_months, params, 2, &rows, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		*missing += log_months(rows);
	db_rows_free(rows);
	return rc;
}

int
webhooks_months_ahead(struct db *db, uint32_t ahead, uint32_t *missing, struct error *err)
{
	int rc;

	*missing = 0;
	rc = make_ahead(db, "events", ahead, missing, err);
	return rc == 0 ? make_ahead(db, "attempts", ahead, missing, err) : rc;
}
