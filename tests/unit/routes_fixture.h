/*
 * A tenant with endpoints and subscriptions, for tests of routes. It is in the store of tests/unit/db_fixture.h, and a
 * connection of its own changes it as control does. Include after cmocka.h.
 */
#ifndef TESTS_ROUTES_FIXTURE_H
#define TESTS_ROUTES_FIXTURE_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

extern struct db *routes_db; /* opened for the group */
extern char tenant[48]; /* each test has another one */
extern struct error err;

/* Set-up and tear-down of the group. Jobs live by a schedule of 5 s. */
int routes_set_up(void **state);
int routes_tear_down(void **state);

/*
 * Set-up of a test: a tenant whose endpoint 1 gets that pattern and whose endpoint 2 gets everything. Its id begins
 * with the prefix.
 */
void routes_new_tenant(const char *prefix, const char *pattern);

/* Fails the test with `err` unless rc is 0. */
void must(int rc);

/* Runs a statement whose $1 is the tenant, in a transaction that raises its version. */
void change(const char *sql);

void add_endpoint(char endpoint);
void subscribe(char endpoint, const char *pattern);
void subscribe_often(char endpoint, const char *pattern, uint32_t times);

#endif
