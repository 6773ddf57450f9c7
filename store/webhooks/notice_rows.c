/* A notice has the id of its event: a UUIDv7 whose last 16 bits are zero. */
#include "store/webhooks/notice_rows.h"

#include "base/clock.h"
#include "store/webhooks/job_outcomes.h"

int
notice_add(struct db *db, struct uuid_source *ids, const struct notice *notice, struct error *err)
{
	static const struct db_statement add = {
	    "INSERT INTO notices (tenant_id, notice_id, topic, payload, occurred_at, next_at)"
	    " VALUES ($1, $2, $3, $4, hl_now(), hl_now())"};
	uint8_t id[16];

	uuid_v7(ids, clock_wall_us(), id);
	id[14] = id[15] = 0;

	const struct db_param params[] = {
	    db_text(notice->tenant_id), db_uuid(id), db_text(notice->topic), db_text(notice->payload)};

	return db_query(db, &add, params, 4, NULL, err);
}

int
notices_find(struct db *db, struct db_rows **rows, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT tenant_id, notice_id FROM notices WHERE next_at <= hl_now() ORDER BY next_at LIMIT 1"};

	return db_query(db, &find, NULL, 0, rows, err);
}

/* NULL: fields that clients may send and the service does not. */
#define OF_ID                                                                                                          \
	"SELECT notice_id, CAST($3 AS bigint), hl_ms(occurred_at), topic, payload, NULL, NULL, NULL, NULL, NULL "      \
	"FROM notices WHERE tenant_id = $1 AND notice_id = $2"

int
notice_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lock = {OF_ID " FOR UPDATE SKIP LOCKED", OF_ID};
	struct span id = db_rows_text(found, 0, 1);
	uint8_t bytes[16] = {0};

	(void)uuid_parse(id.base, id.len, bytes);

	const struct db_param params[] = {db_text(db_rows_text(found, 0, 0)), db_text(id), db_int(job_event_ms(bytes))};

	return db_query(db, &lock, params, 3, rows, err);
}

int
notice_remove(struct db *db, const struct db_rows *found, struct error *err)
{
	static const struct db_statement remove = {"DELETE FROM notices WHERE tenant_id = $1 AND notice_id = $2"};
	const struct db_param params[] = {db_text(db_rows_text(found, 0, 0)), db_text(db_rows_text(found, 0, 1))};

	return db_query(db, &remove, params, 2, NULL, err);
}

int
notice_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err)
{
	static const struct db_statement postpone = {"UPDATE notices SET next_at = hl_time(hl_ms(hl_now()) + $3)"
						     " WHERE tenant_id = $1 AND notice_id = $2"};
	const struct db_param params[] = {
	    db_text(db_rows_text(found, 0, 0)), db_text(db_rows_text(found, 0, 1)), db_int(ms)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &postpone, params, 3, NULL, err);
	return db_end(db, rc, err);
}
