/*
 * One row per tenant. A version is the creation time of its row in milliseconds, and a count of changes in the lowest
 * 20 bits. So a new tenant with an old id never gets a version of the former one, whose routes publishers may still
 * hold.
 */
#include "store/webhooks/routing.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/job_lifetime.h"
#include "store/webhooks/pause_rows.h"

#define FIRST_VERSION "hl_ms(hl_now()) * 1048576"

/* A removed tenant gets no version. */
#define RAISE(first, change_version, later)                                                                            \
	"INSERT INTO routing_versions (tenant_id, version, change_version)"                                            \
	" SELECT tenant_id, " FIRST_VERSION " + " first ", " change_version " FROM tenants WHERE tenant_id = $1"       \
	" ON CONFLICT (tenant_id) DO UPDATE SET " later
#define NEXT_VERSION "version = routing_versions.version + 1"

/* changes_raise() looks for null. */
#define MARK "CAST(NULL AS bigint)"
static const struct db_statement raise_version = {RAISE("1", MARK, NEXT_VERSION ", change_version = NULL"), NULL};
static const struct db_statement raise_for_publishers = {RAISE("1", "0", NEXT_VERSION), NULL};
static const struct db_statement raise_for_couriers = {RAISE("0", MARK, "change_version = NULL"), NULL};

/* A tenant without a version has no endpoint. Couriers read the pause itself, not each tenant. */
static const struct db_statement raise_versions = {"UPDATE routing_versions SET version = version + 1", NULL};

#define VERSION(also)                                                                                                  \
	"SELECT COALESCE(v.version, 0), COALESCE(hl_ms(t.events_from), 0) FROM tenants t"                              \
	" LEFT JOIN routing_versions v ON v.tenant_id = t.tenant_id" also                                              \
	" WHERE t.tenant_id = $1 AND t.deleted_at IS NULL"

static const struct db_statement read_version = {VERSION(""), NULL};

/*
 * In a distributed store each node has the versions, and a commit becomes visible on one node a little earlier than on
 * another. Naming a table of the routes makes Citus ask the node that has this tenant's routes: there they are never
 * older than the version.
 */
static const struct db_statement read_beside_routes = {VERSION(""), NULL,
    .citus = VERSION(" LEFT JOIN (SELECT 1 FROM subscriptions WHERE tenant_id = $1 LIMIT 1) AS routes ON true")};

/* DO UPDATE, because a row must exist to be locked. A deleted tenant gets no version. */
static const struct db_statement hold_version = {
    "INSERT INTO routing_versions (tenant_id, version) SELECT tenant_id, " FIRST_VERSION " FROM tenants"
    " WHERE tenant_id = $1 AND deleted_at IS NULL"
    " ON CONFLICT (tenant_id) DO UPDATE SET version = routing_versions.version",
    NULL};

#define ROUTES(join_endpoint)                                                                                          \
	"SELECT s.endpoint_id, s.transform_id, s.subscription_id, s.topic_pattern, s.filter,"                          \
	" e.enabled AND NOT e.paused AND e.state = 'active'"                                                           \
	" AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.tenant_id IN ($1, '" PAUSE_OF_ALL "')),"                   \
	" e.retry_schedule, e.max_attempts, e.fifo FROM subscriptions s " join_endpoint                                \
	" WHERE s.tenant_id = $1 AND s.enabled AND s.deleted_at IS NULL AND e.deleted_at IS NULL"
#define OF_ENDPOINT "e.tenant_id = s.tenant_id AND e.endpoint_id = s.endpoint_id"

/*
 * OFFSET 0: for a tenant that it takes for small, PostgreSQL would otherwise compare each subscription with each
 * endpoint.
 */
static const struct db_statement read_routes = {
    ROUTES("CROSS JOIN LATERAL (SELECT e.enabled, e.paused, e.state, e.retry_schedule, e.max_attempts, e.fifo, "
	   "e.deleted_at FROM endpoints e WHERE " OF_ENDPOINT " OFFSET 0) AS e"),
    ROUTES("JOIN endpoints e ON " OF_ENDPOINT)};

enum column { ENDPOINT, TRANSFORM, SUBSCRIPTION, PATTERN, FILTER, SENDS, SCHEDULE, ATTEMPTS, FIFO };

int
routing_raise(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &raise_version, params, 1, NULL, err);
}

int
routing_raise_for_publishers(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &raise_for_publishers, params, 1, NULL, err);
}

int
routing_raise_for_couriers(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &raise_for_couriers, params, 1, NULL, err);
}

int
routing_raise_all(struct db *db, struct error *err)
{
	return db_query(db, &raise_versions, NULL, 0, NULL, err);
}

static int
read_by(struct db *db, const struct db_statement *statement, struct span tenant_id, struct tenant_version *found,
    struct error *err)
{
	const struct db_param params[] = {db_text(tenant_id)};
	struct db_rows *rows;
	int rc = db_query(db, statement, params, 1, &rows, err);

	if (rc != 0)
		return rc;
	*found = (struct tenant_version){.exists = db_rows_count(rows) > 0};
	if (found->exists) {
		found->version = db_rows_int(rows, 0, 0);
		found->events_from_ms = db_rows_int(rows, 0, 1);
	}
	db_rows_free(rows);
	return 0;
}

int
routing_version(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err)
{
	int rc = read_by(db, &read_beside_routes, tenant_id, found, err);

	if (rc != 0 || found->exists || !db_distributed(db))
		return rc;
	/* Check again, because events of a missing tenant are discarded. */
	rc = read_by(db, &read_version, tenant_id, found, err);
	return rc == 0 && found->exists
		   ? error_set(err, "a node of the distributed store does not have a new tenant yet")
		   : rc;
}

int
routing_lock(struct db *db, struct span tenant_id, struct error *err)
{
	const struct db_param params[] = {db_text(tenant_id)};

	return db_query(db, &hold_version, params, 1, NULL, err);
}

int
routing_hold(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err)
{
	int rc = routing_lock(db, tenant_id, err);

	return rc != 0 ? rc : routing_version(db, tenant_id, found, err);
}

/* A null id becomes all zero. false: not an id. */
static bool
read_id(struct span text, uint8_t id[16])
{
	return text.base == NULL || uuid_parse(text.base, text.len, id);
}

static bool
read_row(const struct db_rows *rows, uint32_t row, const struct config *config, struct route *route)
{
	struct span subscription = db_rows_text(rows, row, SUBSCRIPTION), endpoint = db_rows_text(rows, row, ENDPOINT);

	*route = (struct route){
	    .held = !db_rows_bool(rows, row, SENDS),
	    .fifo = db_rows_bool(rows, row, FIFO),
	    .lifetime_ms =
		job_lifetime_ms(config, db_rows_text(rows, row, SCHEDULE), (uint32_t)db_rows_int(rows, row, ATTEMPTS)),
	    .pattern = db_rows_text(rows, row, PATTERN),
	    .filter = db_rows_text(rows, row, FILTER),
	};
	return endpoint.base != NULL && read_id(endpoint, route->endpoint_id) &&
	       read_id(db_rows_text(rows, row, TRANSFORM), route->transform_id) &&
	       read_id(subscription, route->subscription_id);
}

int
routing_read(
    struct db *db, const struct config *config, struct span tenant_id, struct routes **routes, struct error *err)
{
	const struct db_param params[] = {db_text(tenant_id)};
	struct db_rows *rows;
	int rc = db_query(db, &read_routes, params, 1, &rows, err);

	if (rc != 0)
		return rc;

	uint32_t count = db_rows_count(rows), read = 0, unreadable;
	struct route *all = mem_new(count + 1, sizeof *all);

	for (uint32_t row = 0; row < count; row++)
		read += read_row(rows, row, config, &all[read]);
	*routes = routes_new(all, read, &unreadable);
	unreadable += count - read;
	if (unreadable > 0)
		log_warning("subscriptions cannot be read: they get no events", LOG_UINT("subscriptions", unreadable));
	free(all);
	db_rows_free(rows);
	return 0;
}
