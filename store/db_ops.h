/* What a database does for store/db.c, which calls these functions in the order that store/db.h promises. */
#ifndef STORE_DB_OPS_H
#define STORE_DB_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "store/db_env.h"
#include "store/db_rows.h"
#include "store/db_statement.h"

struct db;

/* One call of db_query(), or the check of db_check_and_commit(). */
struct db_call {
	const struct db_statement *statement;
	const struct db_param *params;
	size_t count; /* up to DB_PARAMS_MAX */
};

/* The values of db_load() or db_each(): each is null or within its column's type. */
struct db_values {
	const enum db_type *types;
	uint32_t columns;
	const struct db_param *first; /* the columns of the first row, then those of the second, ... */
	uint32_t rows; /* at least 1 */
};

struct db_ops {
	/* As in store/db.h. Texts are valid UTF-8 without NUL. In parameters there is no DB_UUIDS. */
	int (*begin)(struct db *db, bool to_read, struct error *err);
	int (*commit)(struct db *db, struct error *err);
	void (*rollback)(struct db *db); /* after begin() has returned 0 and commit() has not */
	int (*query)(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err);
	int (*load)(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err);
	int (*insert)(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err);
	int (*each)(struct db *db, const struct db_each *each, const struct db_values *values, struct db_rows **rows,
	    struct error *err);
	int (*check_and_commit)(struct db *db, const struct db_call *check, struct error *err);
	void (*close)(struct db *db); /* frees db */
};

enum db_state { DB_IDLE, DB_IN_TRANSACTION, DB_TO_ROLL_BACK, DB_STATES };

struct db {
	const struct db_ops *ops;
	const struct config *config;
	const struct db_env *env;
	enum db_state state; /* store/db.c's own */
	bool distributed; /* since it was connected to last */
	bool conflict; /* all functions but begin() set this and the next three when they return DB_REFUSED */
	bool lacks_partition;
	bool unexplained; /* by load() alone */
	char sqlstate[6]; /* also set with <0, if the database gave one */
	uint64_t changed; /* set by each() when it returns 0 */
	int64_t deadline_us; /* steady; INT64_MAX: none was set */
	bool syncs_late; /* by db_sync_late(), for the next transactions */
};

/* The environment's deadline of calls. It may have become earlier since the last call. */
static inline int64_t
db_env_until_us(const struct db *db)
{
	return db->env->until_us != NULL ? db->env->until_us(db->env->heartbeat_context) : INT64_MAX;
}

/* The deadline of a call that begins now, unless db_env_until_us() becomes earlier. */
static inline int64_t
db_deadline(const struct db *db)
{
	int64_t longest_us = clock_steady_us() + (int64_t)db->config->store_timeout_ms * 1000;
	int64_t until_us = db_env_until_us(db);

	if (until_us > longest_us)
		until_us = longest_us;
	return db->deadline_us < until_us ? db->deadline_us : until_us;
}

/* Reports while a call waits that the process lives. */
static inline void
db_heartbeat(const struct db *db)
{
	if (db->env->heartbeat != NULL)
		db->env->heartbeat(db->env->heartbeat_context);
}

#endif
