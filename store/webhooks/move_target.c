/* Waiting jobs need a node that takes them over: the first node that starts adopts the row of a node that has left. */
#include "store/webhooks/move_target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "base/crypto.h"
#include "store/webhooks/list_sql.h"
#include "store/webhooks/move_tables.h"
#include "store/webhooks/pause_rows.h"

#define LONG_AGO_MS 60000 /* long enough ago for an immediate adoption */
#define REASON                                                                                                         \
	"everything here was moved from another store. When no hooksd runs on that one any more a resume of all "      \
	"deliveries sends what waits"

int
move_finds_node(struct db *db, char name[NODE_NAME_MAX + 1], bool *found, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT name FROM delivery_nodes WHERE adopted_by IS NULL AND left_at IS NULL"
	    " AND abs(hl_ms(hl_now()) - hl_ms(alive_at)) < timeout_ms LIMIT 1",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &find, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*found = db_rows_count(rows) > 0;
	if (*found)
		(void)snprintf(name, NODE_NAME_MAX + 1, "%s", db_rows_text(rows, 0, 0).base);
	db_rows_free(rows);
	return 0;
}

static int
check_empty(struct db *to, struct error *err)
{
	char text[128];
	const struct db_statement find = {.postgres = text};
	bool any = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < move_table_count; i++) {
		if (move_tables[i].seeded)
			continue;
		(void)snprintf(text, sizeof text, "SELECT 1 FROM %s LIMIT 1", move_tables[i].name);
		rc = db_finds(to, &find, NULL, 0, &any, err);
		if (rc == 0 && any)
			return error_set(err,
			    "the new store is not empty: its table %s has rows. Name an empty one. A move that was "
			    "killed at its very end is done: hooksd starts on the new store",
			    move_tables[i].name);
	}
	return rc;
}

static int
add_node(struct db *to, struct error *err)
{
	static const struct db_statement add = {
	    "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, left_at, seen_version)"
	    " VALUES ($1, $2, 'hooksctl store migrate', hl_time($3), hl_time($3), hl_time($3), 0)"
	    " ON CONFLICT (node_id) DO NOTHING",
	    NULL};
	static const struct db_statement now = {"SELECT hl_ms(hl_now())", NULL};
	struct db_rows *rows;
	uint64_t epoch;
	int rc = db_query(to, &now, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	crypto_random(&epoch, sizeof epoch);
	const struct db_param params[] = {
	    db_int(MOVE_NODE_ID), db_int((int64_t)(epoch >> 2) + 1), db_int(db_rows_int(rows, 0, 0) - LONG_AGO_MS)};
	db_rows_free(rows);
	return db_query(to, &add, params, 3, NULL, err);
}

static int
begin(struct db *to, const char *mark, bool *goes_on, struct error *err)
{
	struct store_identity identity;
	bool exists;
	int rc = identity_rows_read(to, true, &identity, &exists, err);

	if (rc != 0)
		return rc;
	*goes_on = exists && strcmp(identity.store_id, mark) == 0;
	if (*goes_on)
		return 0;
	if (exists && identity_of_move(&identity))
		return error_set(err, "an unfinished move of another store is in the new store: name an empty one");
	identity = (struct store_identity){.store_id = ""};
	(void)snprintf(identity.store_id, sizeof identity.store_id, "%s", mark);
	rc = check_empty(to, err);
	if (rc == 0)
		rc = identity_rows_write(to, &identity, err);
	if (rc == 0)
		rc = pause_rows_set(to, PAUSE_OF_ALL, (struct span){REASON, strlen(REASON)}, NULL, err);
	return rc == 0 ? add_node(to, err) : rc;
}

int
move_begin(struct db *to, const char *mark, bool *goes_on, struct error *err)
{
	int rc = db_begin(to, err);

	if (rc == 0)
		rc = begin(to, mark, goes_on, err);
	return db_end(to, rc, err);
}

/* ---- months ---- */

struct parent {
	const char *name;
	struct db_statement next; /* the first time at or after $1 */
};

static const struct parent parents[] = {
    {"events", {"SELECT hl_ms(min(created_at)) FROM events WHERE created_at >= hl_time($1)", NULL}},
    {"attempts", {"SELECT hl_ms(min(started_at)) FROM attempts WHERE started_at >= hl_time($1)", NULL}},
};

static int
make_month(struct db *to, const char *parent, struct calendar_date date, struct error *err)
{
	static const struct db_statement make = {
	    "SELECT create_monthly_partition($1::text::regclass, $2::int, $3::int)", "SELECT $1, $2, $3"};
	const struct db_param params[] = {db_string(parent), db_int(date.year), db_int(date.month)};
	int rc = db_begin(to, err);

	if (rc == 0)
		rc = db_query(to, &make, params, 3, NULL, err);
	return db_end(to, rc, err);
}

/* The first ms of the month after that one. */
static int64_t
month_end(struct calendar_date date)
{
	date.day = calendar_month_length(date.year, date.month);
	return (calendar_day(date) + INT64_C(1)) * (CALENDAR_DAY_US / 1000);
}

/* Makes the months. Rows with a time beyond the calendar's years go to the default partition. */
static int
make_months(struct db *from, struct db *to, const struct parent *parent, struct error *err)
{
	for (int64_t at_ms = 0;;) {
		const struct db_param params[] = {db_int(at_ms)};
		struct db_rows *rows;
		int rc = db_query(from, &parent->next, params, 1, &rows, err);

		if (rc != 0)
			return rc;
		bool any = db_rows_count(rows) > 0 && !db_rows_null(rows, 0, 0);
		at_ms = any ? db_rows_int(rows, 0, 0) : 0;
		db_rows_free(rows);
		if (!any || at_ms >= TIME_RANGE_LAST_MS)
			return 0;
		struct calendar_date date = calendar_date(calendar_day_of(at_ms * 1000));
		rc = make_month(to, parent->name, date, err);
		if (rc != 0)
			return rc;
		at_ms = month_end(date);
	}
}

int
move_months(struct db *from, struct db *to, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof parents / sizeof *parents; i++)
		rc = make_months(from, to, &parents[i], err);
	return rc;
}

int
move_finish(struct db *to, const char *mark, struct error *err)
{
	static const struct db_statement forget = {"DELETE FROM store_identity WHERE store_id = $1 RETURNING id", NULL};
	const struct db_param params[] = {db_string(mark)};
	bool ours = false;
	int rc = db_begin(to, err);

	if (rc == 0)
		rc = db_finds(to, &forget, params, 1, &ours, err);
	if (rc == 0 && !ours)
		rc = error_set(err, "the new store was taken into use meanwhile: begin again with an empty one");
	return db_end(to, rc, err);
}
