/*
 * What tests of connections to the webhooks' store share: a store of the program's own, and calls that must succeed.
 * The store is an SQLite file or, if HOOKS_TEST_POSTGRES_URL names one, a PostgreSQL database. Include after cmocka.h.
 */
#ifndef TESTS_DB_FIXTURE_H
#define TESTS_DB_FIXTURE_H

#include <stddef.h>

#include "config/config.h"
#include "store/webhooks_store.h"

extern struct config db_config;
extern char db_path[128]; /* of the SQLite file */

/* Set-up and tear-down of the group. */
int db_set_up(void **state);
int db_tear_down(void **state);

#define SAME(sql) (&(const struct db_statement){.postgres = (sql)})
#define BOTH(pg, lite) (&(const struct db_statement){.postgres = (pg), .sqlite = (lite)})
#define PARAMS(...)                                                                                                    \
	(const struct db_param[]){__VA_ARGS__}, sizeof((struct db_param[]){__VA_ARGS__}) / sizeof(struct db_param)

/* Open a connection, which must succeed. env: NULL for a process that is alone. */
struct db *must_open_with(const struct db_env *env);
struct db *must_open(void);

/* Fails the test unless rc is the expected one. The message has the error, or "no error". */
void must_be(int expected, int rc, const struct error *err);

void must_begin(struct db *db);
void must_commit(struct db *db);
void must_run(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count);
struct db_rows *must_read(
    struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count);

/* The first value of a statement without parameters; 0 if it is null. */
int64_t must_count(struct db *db, const char *sql);

/* Checks the text, and that a NUL follows it. */
void must_equal(struct span text, const char *expected);

/* Adds an active endpoint, in the caller's transaction. */
void must_add_endpoint(struct db *db, const char *tenant_id, const uint8_t id[16]);

#endif
