/*
 * The writers' part in keeping hook_events' months: the coming ones are made ahead, a past one when the first late
 * event asks for it, and what went to the default partition meanwhile is moved to its month.
 *
 * Every writer looks at start, every hour and when the month changes. Making is create_monthly_partition(year, month)
 * of the schema, each month in a transaction of its own with short time-outs on the server's side, one process at a
 * time among all writers of all replicas: the others leave it to that one. A month that cannot be made now costs no
 * event anything: its events go to the default partition, and the next look tries again. Where a DBA has taken the
 * default partition away, events of a month that hooksd would make wait for it, and others are dead letters.
 *
 * What a look has seen may be gone a minute later: when PostgreSQL says that a row has no partition,
 * partitions_look_again() forgets it.
 */
#ifndef STORE_POSTGRES_PARTITIONS_H
#define STORE_POSTGRES_PARTITIONS_H

#include "base/error.h"
#include "store/postgres/pg.h"
#include "store/postgres/months.h"
#include "store/postgres/deadline.h"
#include "store/sink.h"
#include "store/sink_env.h"

struct partitions {
	uint32_t ahead; /* months to make beyond the current one */
	struct deadline *deadline; /* borrowed */
	const struct sink_env *env; /* borrowed; for the gauges */
	struct months months;
	int32_t this_month; /* at the last look */
	int64_t due_us; /* steady clock: the next look */
	bool may_make; /* false: no attempt before the next look */
	bool every_row_fits; /* there is a default partition, or the table has none at all */
	struct error obstacle; /* why the last attempt to make a month failed, as the log knows it */
	char obstacle_month[16];
	int64_t obstacle_told_us; /* steady clock */
	uint64_t default_rows; /* in the default partition, at the last look */
	int32_t default_month; /* the month that has most of them */
	bool told; /* the log knows that there are some */
};

/* Knows nothing yet and is due. deadline and env are borrowed. */
void partitions_init(
    struct partitions *partitions, uint32_t ahead, struct deadline *deadline, const struct sink_env *env);

/* Whether it is time for partitions_upkeep(), which is also called after connecting. now_us is the wall clock's. */
bool partitions_due(const struct partitions *partitions, int64_t now_us);

/*
 * Looks and makes what is missing. 0, also when something cannot be made or read now, which is logged; <0: the
 * connection is gone. Takes seconds at the most, as each of its statements.
 */
int partitions_upkeep(struct partitions *partitions, struct pg *pg, struct error *err);

/*
 * Makes the months that these records want (months_need()). After a failure there is no further attempt until the next
 * look, so that a lock held by somebody delays one batch by a moment. Returns as partitions_upkeep().
 */
int partitions_make_for(struct partitions *partitions, struct pg *pg, const struct batch *batch, struct error *err);

/* PostgreSQL has no partition for one of these records: reads the months anew and makes what they want. As above. */
int partitions_look_again(struct partitions *partitions, struct pg *pg, const struct batch *batch, struct error *err);

/*
 * After partitions_look_again(), of a record that PostgreSQL still refuses. LACK_NOTHING: its month has a partition;
 * LACK_FOR_GOOD: it has none, and hooksd makes none of that month; <0: it has none now, which is the table's state, and
 * *err says why.
 */
enum partitions_condition { LACK_NOTHING, LACK_FOR_GOOD };
int partitions_lack(struct partitions *partitions, const struct record *record, struct error *err);

/* After partitions_upkeep(): 0 if an event of now has a partition, or <0. */
int partitions_check(const struct partitions *partitions, struct error *err);

#endif
