/*
 * The writers' part in keeping hook_events' monthly partitions. They are made in advance; one of a past month is made
 * when the first late event needs it, and takes its events over from the default partition.
 *
 * Every writer reads the partitions at start, every hour and when the month changes. The schema's ensure_partitions()
 * makes each month in a transaction of its own with short time-outs on the server's side. Among all writers of all
 * replicas one process at a time makes months. If a month cannot be made now, its events go to the default partition,
 * and it is tried again after the next reading. If a DBA has removed the default partition, events of a month that
 * hooksd makes wait for it, and events of other months become dead letters.
 *
 * The partitions may change after the reading. When PostgreSQL reports that a row has no partition, call
 * partitions_reread().
 */
#ifndef STORE_POSTGRES_PARTITIONS_H
#define STORE_POSTGRES_PARTITIONS_H

#include "base/error.h"
#include "store/postgres/month_schedule.h"
#include "store/postgres/months.h"
#include "store/postgres/pg_session.h"
#include "store/sink.h"
#include "store/sink_env.h"

struct partitions {
	uint32_t ahead; /* months to make beyond the current one */
	struct session *session; /* borrowed */
	const struct sink_env *env; /* borrowed; for the gauges */
	struct month_schedule schedule; /* of reading and making months */
	struct months months; /* as read, and updated by this writer */
	bool may_make; /* false: no attempt before the next reading */
	bool every_row_fits; /* there is a default partition, or the table has none at all */
	struct error obstacle; /* why the last attempt to make a month failed */
	char obstacle_month[16];
	int64_t obstacle_logged_us; /* steady clock */
	uint64_t default_rows; /* rows in the default partition, as read */
	int32_t default_month; /* the month that has most of them */
	bool default_logged; /* the log has reported them */
};

/* Initialises it: nothing is known, upkeep is due. session and env are borrowed. */
void partitions_init(
    struct partitions *partitions, uint32_t ahead, struct session *session, const struct sink_env *env);

/* Whether it is time for partitions_upkeep(). */
bool partitions_due(const struct partitions *partitions);

/*
 * Reads the partitions and makes the missing ones. Call it after connecting and when it is due. Needs session_open()
 * only. 0, also if a reading or a month failed, which is logged; <0: the connection is gone. Each of its statements
 * takes seconds at most.
 */
int partitions_upkeep(struct partitions *partitions, struct error *err);

/*
 * Makes the months that these records need (months_need()). After a failure there is no further attempt before the next
 * reading, so that a lock of another session delays only one batch. Returns as partitions_upkeep().
 */
int partitions_make_for(struct partitions *partitions, const struct batch *batch, struct error *err);

/*
 * Call it when PostgreSQL has no partition for one of these records: reads the months again and makes those needed. As
 * above.
 */
int partitions_reread(struct partitions *partitions, const struct batch *batch, struct error *err);

/*
 * After partitions_reread(), for a record that PostgreSQL still refuses. PARTITION_EXISTS: its month has a partition;
 * PARTITION_NEVER: it has none, and hooksd makes none of that month; <0: it has none now, so the table cannot store it
 * yet, and *err says why.
 */
enum partition_condition { PARTITION_EXISTS, PARTITION_NEVER };
int partitions_find(struct partitions *partitions, const struct record *record, struct error *err);

/* After partitions_upkeep(): 0 if an event of the current time has a partition, or <0. */
int partitions_check(const struct partitions *partitions, struct error *err);

#endif
