/*
 * A tenant with endpoints and subscriptions, for tests of routes: in the store of tests/unit/db_fixture.h, changed as
 * control does, by a connection of its own. Include after cmocka.h.
 */
#ifndef TESTS_ROUTES_FIXTURE_H
#define TESTS_ROUTES_FIXTURE_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

extern struct db *routes_db; /* opened for the group */
extern char tenant[48]; /* another one for each test */
extern struct error err;

/* Of the group. Jobs live by a schedule of 5 s. */
int routes_set_up(void **state);
int routes_tear_down(void **state);

/* Of a test: a tenant whose endpoint 1 gets that pattern, and whose endpoint 2 everything. prefix: of its id. */
void routes_new_tenant(const char *prefix, const char *pattern);

/* Fails with `err` where rc is not 0. */
void must(int rc);

/* Runs a statement about the tenant, $1, in a transaction that raises its version. */
void change(const char *sql);

void add_endpoint(char endpoint);
void subscribe(char endpoint, const char *pattern);
void subscribe_often(char endpoint, const char *pattern, uint32_t times);

#endif
