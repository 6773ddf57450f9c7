/* A tenant with endpoints and subscriptions; see the header. The last character of an endpoint's id is its number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "store/webhooks/routing.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/routes_fixture.h"

#define ENDPOINT "0190f5fe-0000-7000-8000-00000000000%c"

struct db *routes_db;
char tenant[48];
struct error err;

static char schedule[] = "5s";

int
routes_set_up(void **state)
{
	int rc = db_set_up(state);

	db_config.hl_retry_schedule = schedule;
	routes_db = must_open();
	return rc;
}

int
routes_tear_down(void **state)
{
	db_close(routes_db);
	return db_tear_down(state);
}

void
must(int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, err.text);
}

void
change(const char *sql)
{
	const struct db_statement statement = {sql, NULL};
	const struct db_param params[] = {db_string(tenant)};

	must(db_begin(routes_db, &err));
	must(db_query(routes_db, &statement, params, 1, NULL, &err));
	must(routing_raise(routes_db, tenant, &err));
	must(db_commit(routes_db, &err));
}

void
add_endpoint(char endpoint)
{
	char *sql =
	    mem_printf("INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, "
		       "paused, timeout_ms, max_in_flight, rate_limit_rps, exact_limits, fifo, ordering, on_dead, "
		       "fail_fast, keep_response, body, legacy_headers, created_at, updated_at) VALUES ($1, '" ENDPOINT
		       "', 1, 'http://x', 's', '{}', TRUE, FALSE, 1000, 1, 1, FALSE, FALSE, 'endpoint', "
		       "'continue', TRUE, FALSE, 'envelope', FALSE, hl_now(), hl_now())",
		endpoint);

	change(sql);
	free(sql);
}

void
subscribe_often(char endpoint, const char *pattern, uint32_t times)
{
	static int number;
	struct bytes sql = {0};

	bytes_add_text(&sql, "INSERT INTO subscriptions (tenant_id, subscription_id, endpoint_id, version, "
			     "topic_pattern, enabled, created_at, updated_at) VALUES ");
	for (uint32_t i = 0; i < times; i++) {
		char *row = mem_printf("%s($1, '0190f5fe-0000-7000-8000-1%011d', '" ENDPOINT
				       "', 1, '%s', TRUE, hl_now(), hl_now())",
		    i > 0 ? "," : "", number++, endpoint, pattern);

		bytes_add_text(&sql, row);
		free(row);
	}
	bytes_add(&sql, "", 1);
	change(sql.base);
	bytes_free(&sql);
}

void
subscribe(char endpoint, const char *pattern)
{
	subscribe_often(endpoint, pattern, 1);
}

void
routes_new_tenant(const char *prefix, const char *pattern)
{
	static int number;

	db_rollback(routes_db);
	(void)snprintf(tenant, sizeof tenant, "%s-%d", prefix, number++);
	change("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, 'x', hl_now(), hl_now())");
	add_endpoint('1');
	add_endpoint('2');
	subscribe('1', pattern);
	subscribe('2', "#");
}
