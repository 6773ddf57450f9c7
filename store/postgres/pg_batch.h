/*
 * Stores a batch in hook_events, also if PostgreSQL refuses the one statement that should store all of it. What happens
 * then depends on the cause (store/postgres/sqlstate.h):
 *
 *   CAUSE_DUPLICATE  a row exists already: a client sent it again, or a writer stored it and died before recording
 *                    that. The rows are stored by INSERT ... ON CONFLICT DO NOTHING. So is the next batch, at once,
 *                    because resends come in floods
 *   CAUSE_ROW        PostgreSQL will never take one of the rows. The rows are bisected until the refused row is
 *                    alone: it becomes a dead letter. k such rows among n cost about 2 k log2(n / k) statements
 *   CAUSE_RACE       a deadlock with another writer that stores the same events. The rows are stored by INSERT, in
 *                    the order of their keys, which is repeated a few times
 *   CAUSE_PARTITION  a row has no partition. The months are read again and made, and the rows are stored once more.
 *                    A row that is refused again becomes a dead letter if hooksd makes no partition for its month;
 *                    otherwise the store is unavailable
 *   CAUSE_STORE      the store is unavailable: the caller keeps the records and opens the sink again
 *   CAUSE_UNCLEAR    the store is unavailable if the table refuses even a statement without rows
 *                    (store/postgres/pg_probe.h). Otherwise the row is at fault if the table has taken another row of
 *                    this batch, or of another batch within a minute. If the table has taken none, the store is
 *                    unavailable: a trigger that fails for every row must not make dead letters of all events
 *
 * Citus reports each refusal of a COPY by its workers as an internal error, but gives the cause for an INSERT: under
 * Citus a refused COPY is repeated by INSERT first.
 *
 * Rows are stored in the order given, except by INSERT. Partial success is harmless: the key shows which rows are
 * there.
 */
#ifndef STORE_POSTGRES_PG_BATCH_H
#define STORE_POSTGRES_PG_BATCH_H

#include "base/repeat.h"
#include "store/dead_letter_file.h"
#include "store/postgres/partitions.h"
#include "store/postgres/pg_rows.h"
#include "store/sink.h"

/* Suspects that may wait for the rest of their batch. If there are more and no row is stored, the table is at fault. */
#define SUSPECTS_MAX 16

struct pg_batch {
	struct rows *rows; /* borrowed */
	struct partitions *partitions; /* borrowed */
	struct dead_letter_file file; /* for dead letters that the table refuses */
	enum rows_method method; /* as found by pg_probe() */
	bool duplicates; /* the last batch had duplicates */
	bool refuses_all; /* the table took no row of a batch, nor any since */
	int64_t cleared_us; /* steady clock, when it took rows after such a batch; 0: long ago */
	struct repeat some_refused; /* for the log: some events of a batch became dead letters */
	struct repeat all_refused; /* all events of a batch did, for one reason */
	struct repeat table_refuses; /* the table of dead letters took none */
	uint64_t unlogged; /* dead letters that no line of the log has counted */

	/* Of the current batch. */
	bool probed, months_read, file_used;
	const struct record *suspects[SUSPECTS_MAX]; /* refused, perhaps for their contents */
	uint32_t suspect_count;
	struct error suspicion; /* why the last suspect was refused */
	struct sink_result result;
	struct error last_reason; /* why the last dead letter was refused */
	char sqlstate[6]; /* of all dead letters of the batch; "": they differ */
};

/* data_dir, rows and partitions are borrowed. pg_batch_free() releases everything but the struct. */
void pg_batch_init(struct pg_batch *batch, struct rows *rows, struct partitions *partitions, const char *data_dir);
void pg_batch_free(struct pg_batch *batch);

/*
 * Stores the records of *batch, at least one. 0: each of them is stored, a duplicate or a dead letter, all durably,
 * and *result counts them. <0: the store is unavailable, and result->in_doubt says whether some of them may be
 * stored.
 */
int pg_batch_store(struct pg_batch *b, const struct batch *batch, struct sink_result *result, struct error *err);

/* Logs the dead letters that no line has counted yet. Call it from time to time. */
void pg_batch_upkeep(struct pg_batch *batch);

#endif
