/* In PostgreSQL the function hl_check() of the schema raises the SQLSTATEs; in SQLite the statement returns them. */
#include "store/webhooks/publish_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "store/db_refusal.h"

/* Two parallel lists: the tenants and their versions. */
struct lists {
	struct bytes tenants, versions;
};

static const struct db_statement check = {
    "SELECT hl_check(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS int), CAST($4 AS bigint), now(),"
    " CAST($5 AS int))",
    /* No check for slowness: an SQLite transaction waits for its turn before it begins, and for nobody afterwards. */
    "SELECT 'HL001' WHERE EXISTS (SELECT 1 FROM json_each($1) t JOIN json_each($2) v ON v.key = t.key"
    " LEFT JOIN routing_versions r ON r.tenant_id = t.value WHERE COALESCE(r.version, 0) <> v.value)"
    " UNION ALL SELECT 'HL002' WHERE NOT EXISTS (SELECT 1 FROM delivery_nodes"
    " WHERE node_id = $3 AND epoch = $4 AND adopted_by IS NULL) LIMIT 1"};

/*
 * Takes a transaction id first: removal of a tenant waits only for transactions that had one before they looked
 * (store/webhooks/removal.c). With distributed tables, adding events gives the transaction ids only on other nodes.
 */
static const struct db_statement get_id = {"SELECT pg_current_xact_id()", "SELECT 1"};

#define PARAMS_SQLITE 4
#define PARAMS_POSTGRES 5

/* Ids of tenants hold neither quotes nor backslashes. */
static void
add_tenant(struct lists *lists, struct span tenant, int64_t version)
{
	char number[24];
	int len = snprintf(number, sizeof number, "%s%" PRId64, lists->versions.len > 1 ? "," : "", version);

	bytes_add_text(&lists->tenants, lists->tenants.len > 1 ? ",\"" : "\"");
	bytes_add(&lists->tenants, tenant.base, tenant.len);
	bytes_add_text(&lists->tenants, "\"");
	bytes_add(&lists->versions, number, (size_t)len);
}

static void
write_lists(struct lists *lists, const struct publication_group *group, bool postgres)
{
	struct span before = {NULL, 0};

	bytes_add_text(&lists->tenants, postgres ? "{" : "[");
	bytes_add_text(&lists->versions, postgres ? "{" : "[");
	for (uint32_t i = 0; i < group->count; i++) {
		const struct publication *item = group->items[i];
		struct span tenant = publication_tenant(item);

		if (item->outcome.result != 0 || (before.base != NULL && before.len == tenant.len &&
						     memcmp(before.base, tenant.base, tenant.len) == 0))
			continue;
		add_tenant(lists, tenant, item->version);
		before = tenant;
	}
	bytes_add_text(&lists->tenants, postgres ? "}" : "]");
	bytes_add_text(&lists->versions, postgres ? "}" : "]");
}

/* The condition for the SQLSTATE of the check, or of a deferred constraint. */
static int
condition_of(const char *sqlstate)
{
	if (strcmp(sqlstate, "HL001") == 0)
		return PUBLISH_STALE;
	if (strcmp(sqlstate, "HL002") == 0)
		return PUBLISH_NO_NODE;
	return strcmp(sqlstate, "HL003") == 0 ? PUBLISH_SLOW : DB_REFUSED;
}

int
publish_check_and_commit(
    struct db *db, const struct config *config, const struct publication_group *group, struct error *err)
{
	struct lists lists = {{0}, {0}};
	bool postgres = config->hl_store == HL_STORE_POSTGRES;
	int rc = db_distributed(db) ? db_query(db, &get_id, NULL, 0, NULL, err) : 0;

	if (rc != 0)
		return rc;
	write_lists(&lists, group, postgres);

	const struct db_param params[] = {
	    db_text((struct span){lists.tenants.base, lists.tenants.len}),
	    db_text((struct span){lists.versions.base, lists.versions.len}),
	    db_int(group->node.node_id),
	    db_int(group->node.epoch),
	    db_int(config->store_timeout_ms),
	};

	rc = db_check_and_commit(db, &check, params, postgres ? PARAMS_POSTGRES : PARAMS_SQLITE, err);
	if (rc == DB_REFUSED)
		rc = condition_of(db_sqlstate(db));
	bytes_free(&lists.tenants);
	bytes_free(&lists.versions);
	return rc;
}
