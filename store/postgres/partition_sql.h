/*
 * The statements about hook_events' partitions. Each is one transaction, so PgBouncer may serve it from any server, and
 * has short time-outs on the server's side. They need session_open() only. All return as pg_exec() does.
 */
#ifndef STORE_POSTGRES_PARTITION_SQL_H
#define STORE_POSTGRES_PARTITION_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/postgres/pg_session.h"

/*
 * A row for each month that has a partition, at least near today, as a number (store/postgres/months.h). A null row:
 * rows of all months have a partition.
 */
int partition_sql_months(struct session *session, PGresult **result, struct error *err);

/*
 * A row for each month that has events in the default partition, and how many, the largest first. Up to 100000 events
 * are counted.
 */
int partition_sql_default(struct session *session, PGresult **result, struct error *err);

struct partition_request {
	char month[16]; /* 2026-11 */
	bool unless_busy; /* do nothing while another process makes months; false: wait for it */
};

/*
 * Makes the partition of one month by ensure_partitions() of the schema. One row: that function's outcome, or the error
 * on Citus' coordinator; null: another process is making months.
 */
int partition_sql_make(
    struct session *session, const struct partition_request *request, PGresult **result, struct error *err);

#endif
