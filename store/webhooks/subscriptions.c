/* The tables `subscriptions` and `transforms`. */
#include "store/webhooks/subscriptions.h"

/* In the order in which subscription_of_row() reads them. */
#define COLUMNS                                                                                                        \
	"s.subscription_id, s.version, s.endpoint_id, s.topic_pattern, s.filter, s.transform_id, "                     \
	"(SELECT t.steps FROM transforms t WHERE t.tenant_id = s.tenant_id AND t.transform_id = s.transform_id), "     \
	"s.enabled, s.name, s.description, s.metadata, s.extra, hl_ms(s.created_at), hl_ms(s.updated_at)"

/*
 * A scalar subquery, not EXISTS or a join: with those PostgreSQL would compare each subscription with each endpoint of
 * a tenant that it takes for small, as it does until ANALYZE has seen the rows.
 */
#define ITS_ENDPOINT_IS_THERE                                                                                          \
	"s.deleted_at IS NULL AND (SELECT e.deleted_at IS NULL FROM endpoints e WHERE e.tenant_id = s.tenant_id "      \
	"AND e.endpoint_id = s.endpoint_id)"

struct subscription
subscription_of_row(const struct db_rows *rows, uint32_t row)
{
	return (struct subscription){
	    .id = db_rows_text(rows, row, 0),
	    .version = db_rows_int(rows, row, 1),
	    .endpoint_id = db_rows_text(rows, row, 2),
	    .topic_pattern = db_rows_text(rows, row, 3),
	    .filter = db_rows_text(rows, row, 4),
	    .transform_id = db_rows_text(rows, row, 5),
	    .transform = db_rows_text(rows, row, 6),
	    .enabled = db_rows_bool(rows, row, 7),
	    .name = db_rows_text(rows, row, 8),
	    .description = db_rows_text(rows, row, 9),
	    .metadata = db_rows_text(rows, row, 10),
	    .extra = db_rows_text(rows, row, 11),
	    .created_at = db_rows_int(rows, row, 12),
	    .updated_at = db_rows_int(rows, row, 13),
	};
}

int
subscriptions_get(
    struct db *db, const char *tenant_id, struct span id, bool for_update, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT " COLUMNS " FROM subscriptions s"
	    " WHERE s.tenant_id = $1 AND s.subscription_id = $2 AND " ITS_ENDPOINT_IS_THERE};
	/* A statement of its own, because a distributed PostgreSQL locks no rows of a join. */
	static const struct db_statement lock = {
	    "SELECT 1 FROM subscriptions WHERE tenant_id = $1 AND subscription_id = $2 FOR UPDATE",
	    "SELECT 1 FROM subscriptions WHERE tenant_id = $1 AND subscription_id = $2"};
	const struct db_param params[] = {db_string(tenant_id), db_text(id)};
	int rc = for_update ? db_query(db, &lock, params, 2, NULL, err) : 0;

	return rc != 0 ? rc : db_query(db, &get, params, 2, rows, err);
}

/* The parameters common to both writing statements. */
#define PARAMS 11
static void
put_params(struct db_param params[PARAMS], const char *tenant_id, const struct subscription *subscription)
{
	params[0] = db_string(tenant_id);
	params[1] = db_text(subscription->id);
	params[2] = db_text(subscription->endpoint_id);
	params[3] = db_text(subscription->topic_pattern);
	params[4] = db_text(subscription->filter);
	params[5] = db_text(subscription->transform_id);
	params[6] = db_bool(subscription->enabled);
	params[7] = db_text(subscription->name);
	params[8] = db_text(subscription->description);
	params[9] = db_text(subscription->metadata);
	params[10] = db_text(subscription->extra);
}

int
subscriptions_insert(struct db *db, const char *tenant_id, const struct subscription *subscription, struct error *err)
{
	static const struct db_statement insert = {
	    "INSERT INTO subscriptions (tenant_id, subscription_id, endpoint_id, topic_pattern, filter, transform_id, "
	    "enabled, name, description, metadata, extra, version, created_at, updated_at) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, hl_now(), hl_now())"};
	struct db_param params[PARAMS];

	put_params(params, tenant_id, subscription);
	return db_query(db, &insert, params, PARAMS, NULL, err);
}

int
subscriptions_update(struct db *db, const char *tenant_id, const struct subscription *subscription, struct error *err)
{
	static const struct db_statement update = {
	    "UPDATE subscriptions SET endpoint_id = $3, topic_pattern = $4, filter = $5, transform_id = $6, enabled = "
	    "$7, "
	    "name = $8, description = $9, metadata = $10, extra = $11, version = version + 1, updated_at = hl_now() "
	    "WHERE tenant_id = $1 AND subscription_id = $2"};
	struct db_param params[PARAMS];

	put_params(params, tenant_id, subscription);
	return db_query(db, &update, params, PARAMS, NULL, err);
}

int
subscriptions_delete(struct db *db, const char *tenant_id, struct span id, struct error *err)
{
	static const struct db_statement delete = {
	    "DELETE FROM subscriptions WHERE tenant_id = $1 AND subscription_id = $2"};
	const struct db_param params[] = {db_string(tenant_id), db_text(id)};

	return db_query(db, &delete, params, 2, NULL, err);
}

/* Parameters: tenant, position, enabled or -1, pattern or null, limit; and the endpoint, if there is one. */
#define LIST(after, order, of_endpoint)                                                                                \
	"SELECT " COLUMNS " FROM subscriptions s WHERE s.tenant_id = $1 AND s.subscription_id " after                  \
	" $2 " of_endpoint "AND " ITS_ENDPOINT_IS_THERE                                                                \
	" AND (CAST($3 AS int) < 0 OR (CASE WHEN s.enabled THEN 1 ELSE 0 END) = "                                      \
	"CAST($3 AS int)) AND (CAST($4 AS text) IS NULL OR s.topic_pattern = CAST($4 AS text)) "                       \
	"ORDER BY s.subscription_id" order " LIMIT $5"

int
subscriptions_list(struct db *db, const char *tenant_id, const struct subscription_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2][2] = {
	    {{LIST(">", "", "")}, {LIST(">", "", "AND s.endpoint_id = $6 ")}},
	    {{LIST("<", " DESC", "")}, {LIST("<", " DESC", "AND s.endpoint_id = $6 ")}},
	};
	bool of_endpoint = filter->endpoint_id.base != NULL;
	const struct db_param params[] = {db_string(tenant_id), list_after_id(slice), db_int(filter->enabled),
	    db_text(filter->topic_pattern), db_int(slice->limit), db_text(filter->endpoint_id)};

	return db_query(db, &lists[slice->descending][of_endpoint], params, of_endpoint ? 6 : 5, rows, err);
}

#define TEXT_OF(number) #number
#define EACH(number) TEXT_OF(number)
#define PG_RULES "octet_length(s.topic_pattern) + COALESCE(octet_length(CAST(s.filter AS text)), 0)"
#define SQLITE_RULES "length(CAST(s.topic_pattern AS BLOB)) + COALESCE(length(CAST(s.filter AS BLOB)), 0)"

/* Grouped by pair, so that one pass both counts and sums. */
#define MEASURE(rules)                                                                                                 \
	"SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM (SELECT SUM(" EACH(                             \
	    SUBSCRIPTION_BYTES) " + " rules                                                                            \
				") AS bytes FROM subscriptions s WHERE s.tenant_id = $1 AND " ITS_ENDPOINT_IS_THERE    \
				" GROUP BY s.endpoint_id, s.transform_id) AS pairs"

int
subscriptions_measure(struct db *db, const char *tenant_id, struct subscription_totals *totals, struct error *err)
{
	static const struct db_statement measure = {MEASURE(PG_RULES), MEASURE(SQLITE_RULES)};
	const struct db_param params[] = {db_string(tenant_id)};
	struct db_rows *rows;
	int rc = db_query(db, &measure, params, 1, &rows, err);

	if (rc != 0)
		return rc;
	*totals = (struct subscription_totals){.pairs = db_rows_int(rows, 0, 0), .rule_bytes = db_rows_int(rows, 0, 1)};
	db_rows_free(rows);
	return 0;
}

int
subscriptions_hold_endpoint(struct db *db, const char *tenant_id, struct span id, bool *exists, struct error *err)
{
	static const struct db_statement hold = {
	    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL FOR SHARE",
	    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id), db_text(id)};

	return db_finds(db, &hold, params, 2, exists, err);
}

int
transforms_put(struct db *db, const char *tenant_id, struct span transform_id, struct span steps, struct error *err)
{
	static const struct db_statement put = {
	    "INSERT INTO transforms (tenant_id, transform_id, steps, created_at) VALUES ($1, $2, $3, hl_now()) "
	    "ON CONFLICT (tenant_id, transform_id) DO NOTHING"};
	const struct db_param params[] = {db_string(tenant_id), db_text(transform_id), db_text(steps)};

	return db_query(db, &put, params, 3, NULL, err);
}

int
transforms_get(
    struct db *db, const char *tenant_id, const uint8_t transform_id[16], struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT steps FROM transforms WHERE tenant_id = $1 AND transform_id = $2"};
	const struct db_param params[] = {db_string(tenant_id), db_uuid(transform_id)};

	return db_query(db, &get, params, 2, rows, err);
}
