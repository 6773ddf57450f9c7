/* One statement serves all endpoints of a transaction. The column ordering_key is empty in every row. */
#include "store/webhooks/fifo_heads.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

static const struct db_statement limit_waits = {"SELECT set_config('lock_timeout', '1s', true)", "SELECT 1"};
static const struct db_statement hardly_wait = {"SELECT set_config('lock_timeout', '20ms', true)", "SELECT 1"};

int
fifo_heads_compare(const struct fifo_claim *a, const struct fifo_claim *b)
{
	size_t least = a->tenant_id.len < b->tenant_id.len ? a->tenant_id.len : b->tenant_id.len;
	int order = memcmp(a->tenant_id.base, b->tenant_id.base, least);

	if (order == 0)
		order = (a->tenant_id.len > b->tenant_id.len) - (a->tenant_id.len < b->tenant_id.len);
	return order != 0 ? order : memcmp(a->endpoint_id, b->endpoint_id, 16);
}

/* ---- claims ---- */

static const enum db_type types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT4};

#define COLUMNS (sizeof types / sizeof *types)

#define INSERT_HEAD "INSERT INTO fifo_heads (tenant_id, endpoint_id, ordering_key, last_seq, node_id) "
/* A count that was edited to a negative or huge value starts again from 0. */
#define COUNT_ON                                                                                                       \
	" ON CONFLICT (tenant_id, endpoint_id, ordering_key) DO UPDATE SET last_seq = "                                \
	"CASE WHEN fifo_heads.last_seq BETWEEN 0 AND 4611686018427387904 THEN fifo_heads.last_seq ELSE 0 END "         \
	"+ excluded.last_seq, "                                                                                        \
	"node_id = COALESCE(fifo_heads.node_id, excluded.node_id) RETURNING tenant_id, endpoint_id"

static const struct db_each claim_all = {
    {INSERT_HEAD "SELECT tenant_id, endpoint_id, '', places, node_id "
		 "FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[]) WITH ORDINALITY "
		 "AS given (tenant_id, endpoint_id, places, node_id, number) ORDER BY number" COUNT_ON
		 ", last_seq, node_id",
	INSERT_HEAD "VALUES ($1, $2, '', $3, $4)" COUNT_ON ", last_seq, node_id"},
    types, COLUMNS};

static bool
is_of(const struct fifo_claim *claim, const struct db_rows *rows, uint32_t row)
{
	struct span tenant_id = db_rows_text(rows, row, 0), text = db_rows_text(rows, row, 1);
	uint8_t endpoint_id[16];

	return text.base != NULL && uuid_parse(text.base, text.len, endpoint_id) &&
	       memcmp(endpoint_id, claim->endpoint_id, 16) == 0 && tenant_id.len == claim->tenant_id.len &&
	       memcmp(tenant_id.base, claim->tenant_id.base, tenant_id.len) == 0;
}

/* Rows usually come in the order of the claims, so the search begins at *from, behind the last find. */
static bool
find(struct fifo_claim *claim, const struct db_rows *rows, uint32_t *from)
{
	uint32_t count = db_rows_count(rows);

	for (uint32_t n = 0; n < count; n++) {
		uint32_t row = (*from + n) % count;

		if (is_of(claim, rows, row)) {
			claim->last_seq = db_rows_int(rows, row, 2);
			claim->node_id = db_rows_int(rows, row, 3);
			*from = row + 1;
			return true;
		}
	}
	return false;
}

static int
claim(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * COLUMNS, sizeof *values), *value = values;
	struct db_rows *rows = NULL;
	uint32_t from = 0;
	int rc;

	for (uint32_t i = 0; i < count; i++, value += COLUMNS) {
		value[0] = db_text(claims[i].tenant_id);
		value[1] = db_uuid(claims[i].endpoint_id);
		value[2] = db_int(claims[i].places);
		value[3] = db_int(node_id);
	}
	rc = db_each(db, &claim_all, values, count, &rows, err);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		if (!find(&claims[i], rows, &from)) {
			(void)error_set(err, "fifo_heads has no row of an endpoint that has just got one");
			rc = DB_REFUSED;
		}
	db_rows_free(rows);
	free(values);
	return rc;
}

int
fifo_heads_claim(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err)
{
	int rc = db_query(db, &limit_waits, NULL, 0, NULL, err);

	return rc == 0 ? claim(db, node_id, claims, count, err) : rc;
}

int
fifo_heads_try(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err)
{
	int rc = db_query(db, &hardly_wait, NULL, 0, NULL, err);

	if (rc == 0)
		rc = claim(db, node_id, claims, count, err);
	return rc == 0 ? db_query(db, &limit_waits, NULL, 0, NULL, err) : rc;
}

/* ---- senders ---- */

int
fifo_heads_find(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], int64_t node_id,
    struct fifo_head *head, struct error *err)
{
	static const struct db_statement find_head = {
	    "SELECT last_seq, node_id FROM fifo_heads WHERE tenant_id = $1 AND endpoint_id = $2 AND ordering_key = ''"};
	const struct db_param params[] = {db_string(tenant_id), db_uuid(endpoint_id)};
	struct db_rows *rows;
	int rc = db_query(db, &find_head, params, 2, &rows, err);

	*head = (struct fifo_head){false, 0};
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0) {
		head->last_seq = db_rows_int(rows, 0, 0);
		head->other_sender = !db_rows_null(rows, 0, 1) && db_rows_int(rows, 0, 1) != node_id;
	}
	db_rows_free(rows);
	return 0;
}

int
fifo_heads_waiting(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err)
{
	/* The subquery looks up each row by the index of places, whatever the planner's statistics of the queue. */
	static const struct db_statement waiting = {
	    "SELECT tenant_id, endpoint_id, last_seq FROM fifo_heads WHERE node_id = $1 AND ordering_key = '' AND "
	    "(SELECT 1 FROM jobs WHERE jobs.tenant_id = fifo_heads.tenant_id AND jobs.endpoint_id = "
	    "fifo_heads.endpoint_id AND jobs.fifo_seq = fifo_heads.last_seq LIMIT 1) IS NOT NULL"};
	const struct db_param params[] = {db_int(node_id)};

	return db_query(db, &waiting, params, 1, rows, err);
}

int
fifo_heads_any(struct db *db, int64_t node_id, bool *any, struct error *err)
{
	static const struct db_statement find_any = {
	    "SELECT 1 FROM fifo_heads WHERE node_id = $1 AND ordering_key = '' LIMIT 1"};
	const struct db_param params[] = {db_int(node_id)};

	return db_finds(db, &find_any, params, 1, any, err);
}

/* ---- adoption ---- */

#define ADOPTED "(SELECT node_id FROM delivery_nodes WHERE adopted_by = $1)"
#define FIND_HEADS "SELECT tenant_id, endpoint_id FROM fifo_heads WHERE ordering_key = '' AND node_id "
#define IN_ORDER " ORDER BY tenant_id, endpoint_id LIMIT $2"
static const struct db_statement find_adopted = {
    FIND_HEADS "= ANY (ARRAY" ADOPTED ")" IN_ORDER, FIND_HEADS "IN " ADOPTED IN_ORDER};

static const enum db_type taken_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT4};

#define TAKEN_COLUMNS (sizeof taken_types / sizeof *taken_types)

#define OF_GIVEN "FROM unnest($1::text[], $2::uuid[], $3::int[]) AS given (tenant_id, endpoint_id, node_id) WHERE "
#define TAKE_HEADS "UPDATE fifo_heads SET node_id = "
static const struct db_each take_heads = {
    {TAKE_HEADS "given.node_id " OF_GIVEN "fifo_heads.tenant_id = ANY (ARRAY[given.tenant_id]) "
		"AND fifo_heads.endpoint_id = given.endpoint_id AND fifo_heads.ordering_key = ''",
	TAKE_HEADS "$3 WHERE tenant_id = $1 AND endpoint_id = $2 AND ordering_key = ''"},
    taken_types, TAKEN_COLUMNS};

/* Transactions that took places at these endpoints have committed: the heads' rows were locked until then. */
#define TAKE_JOBS "UPDATE jobs SET node_id = "
static const struct db_each take_jobs = {
    {TAKE_JOBS "given.node_id " OF_GIVEN "jobs.tenant_id = ANY (ARRAY[given.tenant_id]) "
	       "AND jobs.endpoint_id = given.endpoint_id AND jobs.fifo_seq IS NOT NULL "
	       "AND jobs.node_id <> given.node_id",
	TAKE_JOBS "$3 WHERE tenant_id = $1 AND endpoint_id = $2 AND fifo_seq IS NOT NULL AND node_id <> $3"},
    taken_types, TAKEN_COLUMNS};

static int
take(struct db *db, int64_t node_id, const struct db_rows *heads, struct error *err)
{
	uint32_t count = db_rows_count(heads);
	struct db_param *values = mem_new((size_t)count * TAKEN_COLUMNS, sizeof *values), *value = values;
	uint8_t(*ids)[16] = mem_new(count, sizeof *ids);
	int rc;

	for (uint32_t row = 0; row < count; row++, value += TAKEN_COLUMNS) {
		struct span id = db_rows_text(heads, row, 1);

		(void)uuid_parse(id.base, id.len, ids[row]); /* a UUID column; SQLite may hold another text */
		value[0] = db_text(db_rows_text(heads, row, 0));
		value[1] = db_uuid(ids[row]);
		value[2] = db_int(node_id);
	}
	rc = db_each(db, &take_heads, values, count, NULL, err);
	if (rc == 0)
		rc = db_each(db, &take_jobs, values, count, NULL, err);
	free(ids);
	free(values);
	return rc;
}

int
fifo_heads_adopt(struct db *db, int64_t node_id, uint32_t limit, uint32_t *moved, struct error *err)
{
	const struct db_param params[] = {db_int(node_id), db_int(limit)};
	struct db_rows *heads;
	int rc = db_query(db, &limit_waits, NULL, 0, NULL, err);

	if (rc == 0)
		rc = db_query(db, &find_adopted, params, 2, &heads, err);
	if (rc != 0)
		return rc;
	*moved = db_rows_count(heads);
	if (*moved > 0)
		rc = take(db, node_id, heads, err);
	db_rows_free(heads);
	return rc;
}
