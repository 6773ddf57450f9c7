/*
 * The publishers' cache of routes over the webhooks' store. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL
 * names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/router.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/event_fixture.h"
#include "tests/unit/routes_fixture.h"

static struct router *router;

/* Set-up of a test: a tenant of its own, with the endpoints 1 and 2. */
static int
new_tenant(void **state)
{
	router = router_new(&db_config);
	routes_new_tenant("router", "a.*");
	return 0;
}

static int
drop_router(void **state)
{
	db_rollback(routes_db);
	router_free(router);
	return 0;
}

/* The last characters of the endpoints that get an event of that topic, "h" after each that holds its jobs. */
static const char *
goes_to(const struct tenant_routes *found, const char *topic)
{
	static char out[64];
	struct record *record = published_event(&(struct published_event){.topic = topic});
	struct route_jobs jobs = {0};
	struct bytes text = {0};
	char *end = out;

	(void)routes_match(found->routes, record, &text, &jobs);
	*end = '\0';
	for (uint32_t j = 0; j < jobs.count; j++)
		end += sprintf(end, "%x%s", jobs.jobs[j].endpoint_id[15], jobs.jobs[j].held ? "h" : "");
	route_jobs_free(&jobs);
	bytes_free(&text);
	free(record);
	return out;
}

#define TENANT ((struct span){tenant, strlen(tenant)})

static const struct tenant_routes *
found(void)
{
	const struct tenant_routes *routes;

	must(router_find(router, routes_db, TENANT, &routes, &err));
	assert_non_null(routes);
	return routes;
}

static const struct tenant_routes *
refreshed(void)
{
	const struct tenant_routes *routes;

	must(router_refresh(router, routes_db, TENANT, &routes, &err));
	return routes;
}

static void
test_a_change_of_subscriptions_is_seen_after_a_refresh(void **state)
{
	assert_string_equal(goes_to(found(), "a.b"), "12");
	subscribe('1', "b.#");
	assert_string_equal(goes_to(found(), "b"), "2");
	assert_string_equal(goes_to(refreshed(), "b"), "12");
	change("UPDATE subscriptions SET enabled = FALSE WHERE tenant_id = $1 AND topic_pattern = 'b.#'");
	assert_string_equal(goes_to(refreshed(), "b"), "2");
	change("DELETE FROM subscriptions WHERE tenant_id = $1 AND topic_pattern = '#'");
	assert_string_equal(goes_to(refreshed(), "b"), "");
	assert_string_equal(goes_to(refreshed(), "a.b"), "1");
}

static void
test_the_version_goes_up_with_each_change(void **state)
{
	int64_t before = found()->version;

	assert_int_equal(refreshed()->version, before);
	subscribe('1', "b");
	assert_int_equal(found()->version, before);
	assert_int_equal(refreshed()->version, before + 1);
}

static void
test_a_deleted_endpoint_gets_no_jobs_and_a_disabled_one_gets_held_jobs(void **state)
{
	change("UPDATE endpoints SET enabled = FALSE WHERE tenant_id = $1 AND endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000002'");
	assert_string_equal(goes_to(found(), "a.b"), "12h");
	change("UPDATE endpoints SET enabled = TRUE, paused = TRUE WHERE tenant_id = $1");
	assert_string_equal(goes_to(refreshed(), "a.b"), "1h2h");
	change("UPDATE endpoints SET paused = FALSE, state = 'disabled' WHERE tenant_id = $1");
	assert_string_equal(goes_to(refreshed(), "a.b"), "1h2h");
	change("UPDATE endpoints SET state = 'active' WHERE tenant_id = $1");
	change("UPDATE endpoints SET deleted_at = hl_now() WHERE tenant_id = $1 AND endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000001'");
	assert_string_equal(goes_to(refreshed(), "a.b"), "2");
}

static void
test_each_transform_of_an_endpoint_makes_a_job(void **state)
{
	change("UPDATE subscriptions SET transform_id = '0190f5fe-0000-8000-8000-000000000001', endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000002' WHERE tenant_id = $1 AND topic_pattern = 'a.*'");
	assert_string_equal(goes_to(found(), "a.b"), "22");
}

static void
test_a_deleted_tenant_has_no_routes(void **state)
{
	const struct tenant_routes *routes;

	(void)found();
	change("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	assert_null(refreshed());
	assert_int_equal(router_bytes(router), 0);
	must(router_find(router, routes_db, (struct span){"nobody", 6}, &routes, &err));
	assert_null(routes);
}

static void
test_routes_that_are_locked_are_the_newest(void **state)
{
	const struct tenant_routes *routes;

	(void)found();
	subscribe('1', "b");
	must(db_begin(routes_db, &err));
	must(router_hold(router, routes_db, TENANT, &routes, &err));
	assert_string_equal(goes_to(routes, "b"), "12");
	must(db_commit(routes_db, &err));
}

/* A tenant from an earlier release has no version until it is changed. */
static void
test_a_tenant_without_a_version_can_be_locked(void **state)
{
	const struct tenant_routes *routes;
	static const struct db_statement insert = {
	    "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, 'x', hl_now(), hl_now())", NULL};
	const struct db_param params[] = {db_string("router-fresh")};

	must(db_begin(routes_db, &err));
	must(db_query(routes_db, &insert, params, 1, NULL, &err));
	must(db_commit(routes_db, &err));
	must(db_begin(routes_db, &err));
	must(router_hold(router, routes_db, (struct span){"router-fresh", 12}, &routes, &err));
	assert_non_null(routes);
	assert_true(routes->version > 0);
	must(db_commit(routes_db, &err));
}

/* The tenant of the last request stays. */
static void
test_the_least_recently_used_tenant_is_dropped(void **state)
{
	char filter[9000] = "{\"or\":[", *end = filter + strlen(filter);
	char first[sizeof tenant];
	const struct tenant_routes *routes;
	size_t one, before;
	int tenants = 1;

	for (int i = 0; i < 200; i++)
		end += sprintf(end, "%s{\"exists\":\"payload.m%d.%x\"}", i > 0 ? "," : "", i, i * 7919);
	(void)strcpy(end, "]}");
	(void)strcpy(first, tenant);

	char *sql =
	    mem_printf("WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO "
		       "subscriptions (tenant_id, subscription_id, endpoint_id, version, topic_pattern, filter, "
		       "enabled, created_at, updated_at) SELECT $1, CAST('0190f5fe-0000-7000-8000-2000000000' || i "
		       "AS %s), '0190f5fe-0000-7000-8000-000000000001', 1, 'a.*', '%s', TRUE, hl_now(), hl_now() "
		       "FROM n",
		db_config.hl_store == HL_STORE_POSTGRES ? "uuid" : "text", filter);

	change(sql);
	(void)found();
	one = router_bytes(router);
	router_trim(router);
	assert_int_equal(router_bytes(router), one);
	while (router_bytes(router) <= ROUTER_BYTES) {
		(void)snprintf(tenant, sizeof tenant, "%.32s-%d", first, ++tenants);
		change("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, 'x', hl_now(), "
		       "hl_now())");
		add_endpoint('1');
		change(sql);
		(void)found();
		must(router_find(router, routes_db, (struct span){first, strlen(first)}, &routes, &err));
	}
	free(sql);
	router_trim(router);
	assert_true(router_bytes(router) <= ROUTER_BYTES && router_bytes(router) > ROUTER_BYTES - 2 * one);

	/* The first tenant is still in the cache: it is not read again. */
	before = router_bytes(router);
	must(router_find(router, routes_db, (struct span){first, strlen(first)}, &routes, &err));
	assert_int_equal(router_bytes(router), before);
	(void)snprintf(tenant, sizeof tenant, "%.32s-2", first);
	(void)found();
	assert_true(router_bytes(router) > before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, new_tenant, drop_router)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_change_of_subscriptions_is_seen_after_a_refresh),
	    TEST(test_the_version_goes_up_with_each_change),
	    TEST(test_a_deleted_endpoint_gets_no_jobs_and_a_disabled_one_gets_held_jobs),
	    TEST(test_each_transform_of_an_endpoint_makes_a_job),
	    TEST(test_a_deleted_tenant_has_no_routes),
	    TEST(test_routes_that_are_locked_are_the_newest),
	    TEST(test_a_tenant_without_a_version_can_be_locked),
	    TEST(test_the_least_recently_used_tenant_is_dropped),
	};

	return cmocka_run_group_tests(tests, routes_set_up, routes_tear_down);
}
