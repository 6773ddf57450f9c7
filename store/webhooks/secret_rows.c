/* Four columns of the table `endpoints`. */
#include "store/webhooks/secret_rows.h"

static const struct db_statement after = {
    "SELECT tenant_id, endpoint_id, version, secret, old_secret, headers FROM endpoints"
    " WHERE (tenant_id, endpoint_id) > ($1, $2) ORDER BY tenant_id, endpoint_id LIMIT $3",
    NULL};

static const struct db_statement write_texts = {
    "UPDATE endpoints SET secret = $4, old_secret = $5, headers = $6"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND version = $3 RETURNING 1",
    NULL};

static const struct db_statement by_key = {
    "SELECT substr(secret, 1, 24), count(*) FROM endpoints"
    " WHERE substr(secret, 1, 7) = 'enc:v1:' AND deleted_at IS NULL GROUP BY 1 ORDER BY 1",
    NULL};

struct secret_row
secret_row_of(const struct db_rows *rows, uint32_t row)
{
	return (struct secret_row){
	    .tenant_id = db_rows_text(rows, row, 0),
	    .endpoint_id = db_rows_text(rows, row, 1),
	    .version = db_rows_int(rows, row, 2),
	    .secret = db_rows_text(rows, row, 3),
	    .old_secret = db_rows_text(rows, row, 4),
	    .headers = db_rows_text(rows, row, 5),
	};
}

int
secret_rows_after(struct db *db, const char *tenant_id, const char *endpoint_id, uint32_t limit, struct db_rows **rows,
    struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id != NULL ? tenant_id : ""),
	    db_string(endpoint_id != NULL ? endpoint_id : "00000000-0000-0000-0000-000000000000"), db_int(limit)};

	return db_query(db, &after, params, 3, rows, err);
}

int
secret_rows_write(struct db *db, const struct secret_row *row, bool *written, struct error *err)
{
	const struct db_param params[] = {
	    db_text(row->tenant_id),
	    db_text(row->endpoint_id),
	    db_int(row->version),
	    db_text(row->secret),
	    db_text(row->old_secret),
	    db_text(row->headers),
	};

	return db_finds(db, &write_texts, params, 6, written, err);
}

int
secret_rows_by_key(struct db *db, struct db_rows **rows, struct error *err)
{
	return db_query(db, &by_key, NULL, 0, rows, err);
}
