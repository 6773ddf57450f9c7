/* The states of a connection are kept here, the same for each database, and what no database may get is refused. */
#include "store/db.h"

#include <assert.h>

#include "base/utf8.h"
#include "store/db_ops.h"

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	db_rollback(db);
	db->ops->close(db);
}

void
db_set_deadline(struct db *db, int64_t steady_us)
{
	db->deadline_us = steady_us;
}

int
db_begin(struct db *db, struct error *err)
{
	assert(db->state == DB_IDLE);
	int rc = db->ops->begin(db, err);
	if (rc == 0)
		db->state = DB_IN_TRANSACTION;
	return rc;
}

int
db_commit(struct db *db, struct error *err)
{
	assert(db->state == DB_IN_TRANSACTION);
	db->conflict = false;
	int rc = db->ops->commit(db, err);
	db->state = rc == 0 ? DB_IDLE : DB_TO_ROLL_BACK;
	return rc;
}

void
db_rollback(struct db *db)
{
	if (db->state == DB_IDLE)
		return;
	db->ops->rollback(db);
	db->state = DB_IDLE;
}

int
db_end(struct db *db, int rc, struct error *err)
{
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc != 0)
		db_rollback(db);
	return rc;
}

/* SQLite would keep any bytes, and PostgreSQL would read a text to its first NUL. */
static bool
storable(const struct db_param *param)
{
	size_t at = 0;

	if (param->kind != DB_TEXT)
		return true;
	while (at < param->text.len) {
		size_t len = utf8_length(param->text.base + at, param->text.len - at);
		if (len == 0 || param->text.base[at] == '\0')
			return false;
		at += len;
	}
	return true;
}

static int
run(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err)
{
	for (size_t i = 0; i < call->count; i++)
		if (!storable(&call->params[i])) {
			(void)error_set(err, "parameter %zu is not UTF-8, or has a NUL", i + 1);
			return DB_REFUSED;
		}
	return db->ops->query(db, call, rows, err);
}

int
db_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err)
{
	const struct db_call call = {.statement = statement, .params = params, .count = count};

	assert(db->state != DB_TO_ROLL_BACK && count <= DB_PARAMS_MAX);
	db->conflict = false;
	int rc = run(db, &call, rows, err);
	if (rc != 0 && db->state == DB_IN_TRANSACTION)
		db->state = DB_TO_ROLL_BACK;
	return rc;
}

int
db_finds(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count, bool *any,
    struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, statement, params, count, &rows, err);

	if (rc != 0)
		return rc;
	*any = db_rows_count(rows) > 0;
	db_rows_free(rows);
	return 0;
}

bool
db_conflict(const struct db *db)
{
	return db->conflict;
}
