/* What a database does for store/db.c, which calls these functions in the order that store/db.h promises. */
#ifndef STORE_DB_OPS_H
#define STORE_DB_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "store/db_rows.h"
#include "store/db_statement.h"

struct db;
struct db_env;

/* One call of db_query(). */
struct db_call {
	const struct db_statement *statement;
	const struct db_param *params;
	size_t count; /* up to DB_PARAMS_MAX */
};

struct db_ops {
	/* As in store/db.h. Texts are valid UTF-8 without NUL. */
	int (*begin)(struct db *db, struct error *err);
	int (*commit)(struct db *db, struct error *err);
	void (*rollback)(struct db *db); /* after begin() has returned 0 and commit() has not */
	int (*query)(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err);
	void (*close)(struct db *db); /* frees db */
};

enum db_state { DB_IDLE, DB_IN_TRANSACTION, DB_TO_ROLL_BACK, DB_STATES };

struct db {
	const struct db_ops *ops;
	const struct config *config;
	const struct db_env *env;
	enum db_state state; /* store/db.c's own */
	bool conflict; /* set by query() and commit() when they return DB_REFUSED */
	int64_t deadline_us; /* steady; INT64_MAX: none was set */
};

/* The instant at which what begins now must have ended. */
static inline int64_t
db_deadline(const struct db *db)
{
	int64_t longest_us = clock_steady_us() + (int64_t)db->config->store_timeout_ms * 1000;

	return db->deadline_us < longest_us ? db->deadline_us : longest_us;
}

#endif
