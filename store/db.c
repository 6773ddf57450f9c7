/* Keeps the state of a connection, the same for each database, and refuses values that no database may get. */
#include "store/db.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
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

void
db_share_timeout(struct db *db)
{
	db->deadline_us = clock_steady_us() + (int64_t)db->config->store_timeout_ms * 1000;
}

void
db_sync_late(struct db *db, bool late)
{
	db->syncs_late = late;
}

static void
forget_refusal(struct db *db)
{
	db->conflict = db->lacks_partition = db->unexplained = false;
	db->sqlstate[0] = '\0';
}

static int
begin(struct db *db, bool to_read, struct error *err)
{
	assert(db->state == DB_IDLE);
	forget_refusal(db);
	int rc = db->ops->begin(db, to_read, err);
	if (rc == 0)
		db->state = DB_IN_TRANSACTION;
	return rc;
}

int
db_begin(struct db *db, struct error *err)
{
	return begin(db, false, err);
}

int
db_begin_to_read(struct db *db, struct error *err)
{
	return begin(db, true, err);
}

int
db_commit(struct db *db, struct error *err)
{
	assert(db->state == DB_IN_TRANSACTION);
	forget_refusal(db);
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

/* Skips ASCII without NUL from p, eight characters at a time; may stop a little early. */
static const char *
skip_plain(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	uint64_t word;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, sizeof word);
		if (((word | (word - ones)) & high) != 0)
			break;
	}
	return p;
}

/* Whether the text is UTF-8 without NUL. SQLite would keep any bytes, and PostgreSQL would stop at the first NUL. */
static bool
storable(struct span text)
{
	const char *p = text.base, *end = p + text.len;

	while ((p = skip_plain(p, end)) < end) {
		size_t len = utf8_length(p, (size_t)(end - p));
		if (len == 0 || *p == '\0')
			return false;
		p += len;
	}
	return true;
}

static int
check_params(const struct db_call *call, struct error *err)
{
	for (size_t i = 0; i < call->count; i++) {
		assert(call->params[i].kind != DB_UUIDS);
		if (call->params[i].kind == DB_TEXT && !storable(call->params[i].text)) {
			(void)error_set(err, "parameter %zu is not UTF-8, or has a NUL", i + 1);
			return DB_REFUSED;
		}
	}
	return 0;
}

/* Notes the result of a call: after a failure the transaction can only be rolled back. */
static int
after(struct db *db, int rc)
{
	if (rc != 0 && db->state == DB_IN_TRANSACTION)
		db->state = DB_TO_ROLL_BACK;
	return rc;
}

int
db_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err)
{
	const struct db_call call = {.statement = statement, .params = params, .count = count};

	assert(db->state != DB_TO_ROLL_BACK && count <= DB_PARAMS_MAX);
	forget_refusal(db);
	int rc = check_params(&call, err);
	return after(db, rc == 0 ? db->ops->query(db, &call, rows, err) : rc);
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

static const enum db_kind kinds[] = {
    [DB_TYPE_TEXT] = DB_TEXT,
    [DB_TYPE_JSON] = DB_TEXT,
    [DB_TYPE_UUID] = DB_UUID,
    [DB_TYPE_UUID_ARRAY] = DB_UUIDS,
    [DB_TYPE_INT2] = DB_INT,
    [DB_TYPE_INT4] = DB_INT,
    [DB_TYPE_INT8] = DB_INT,
    [DB_TYPE_BOOL] = DB_INT,
    [DB_TYPE_TIME] = DB_INT,
};

/* Whether both databases store the value alike. *why: what is wrong with it. */
static bool
holds(enum db_type type, const struct db_param *value, const char **why)
{
	if (value->kind == DB_NULL)
		return true;
	assert(value->kind == kinds[type]);
	*why = "is not UTF-8, or has a NUL";
	if (value->kind == DB_TEXT)
		return storable(value->text);
	*why = "is out of range";
	switch (type) {
	case DB_TYPE_INT2:
		return value->number == (int16_t)value->number;
	case DB_TYPE_INT4:
		return value->number == (int32_t)value->number;
	case DB_TYPE_BOOL:
		return value->number == 0 || value->number == 1;
	default:
		return true;
	}
}

static int
check_values(const struct db_values *values, struct error *err)
{
	const struct db_param *value = values->first;
	const char *why;

	assert(values->columns >= 1 && values->columns <= DB_COLUMNS_MAX);
	for (uint32_t row = 0; row < values->rows; row++)
		for (uint32_t column = 0; column < values->columns; column++)
			if (!holds(values->types[column], value++, &why)) {
				(void)error_set(err, "column %u of row %u %s", column + 1, row + 1, why);
				return DB_REFUSED;
			}
	return 0;
}

typedef int add_rows(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err);

static int
add(struct db *db, add_rows *by, const struct db_table *table, const struct db_values *values, struct error *err)
{
	assert(db->state == DB_IN_TRANSACTION);
	forget_refusal(db);
	if (values->rows == 0)
		return 0;
	int rc = check_values(values, err);
	return after(db, rc == 0 ? by(db, table, values, err) : rc);
}

int
db_load(struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err)
{
	const struct db_values all = {table->types, table->count, values, rows};

	return add(db, db->ops->load, table, &all, err);
}

int
db_insert(struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err)
{
	const struct db_values all = {table->types, table->count, values, rows};

	return add(db, db->ops->insert, table, &all, err);
}

int
db_each(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t rows,
    struct db_rows **result, struct error *err)
{
	const struct db_values all = {each->types, each->count, values, rows};

	assert(db->state == DB_IN_TRANSACTION);
	forget_refusal(db);
	if (rows == 0) {
		if (result != NULL)
			*result = db_rows_new(0);
		return 0;
	}
	int rc = check_values(&all, err);
	return after(db, rc == 0 ? db->ops->each(db, each, &all, result, err) : rc);
}

int
db_check_and_commit(
    struct db *db, const struct db_statement *check, const struct db_param *params, size_t count, struct error *err)
{
	const struct db_call call = {.statement = check, .params = params, .count = count};

	assert(db->state == DB_IN_TRANSACTION && count <= DB_PARAMS_MAX);
	forget_refusal(db);
	int rc = check_params(&call, err);
	if (rc == 0)
		rc = db->ops->check_and_commit(db, &call, err);
	db->state = rc == 0 ? DB_IDLE : DB_TO_ROLL_BACK;
	return rc;
}

uint64_t
db_changed(const struct db *db)
{
	return db->changed;
}

bool
db_distributed(const struct db *db)
{
	return db->distributed;
}
