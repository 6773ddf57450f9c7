/*
 * A batch into hook_events: what becomes of the rows when PostgreSQL refuses the statement that should store them all.
 * The SQLSTATE tells (store/postgres/sqlstate.h):
 *
 *   a duplicate   some row is there already (sent again by a client, or stored by a writer that died before it could
 *                 say so): the same rows go by INSERT ... ON CONFLICT DO NOTHING, and so does the next batch at once,
 *                 because resends come in floods
 *   a row         PostgreSQL will not have some row, now or ever: the rows are stored in halves, and the halves in
 *                 halves, until the refused row is alone; it goes to the dead letters. k such rows among n cost about
 *                 2 k log2(n / k) statements
 *   a race        a deadlock with another writer that stores the same events: as for a duplicate, in the order of keys,
 *                 and once more
 *   a month       the table has no partition for some row: the months are looked at again, made, and the rows stored
 *                 once more. What then is refused still is a dead letter if hooksd makes no such month, else the
 *                 store's state
 *   the store     it is away; the caller keeps the records and opens the sink again
 *   unclear       the store's, if the table takes no rows at all without complaint (store/postgres/pg_probe.h). Else it is a
 *                 row's if the table has taken another one of the batch, or of a later batch when this one is tried
 *                 again; and the store's if it has taken none: a trigger that fails for every row must not bury them
 *
 * Citus reports what its workers refuse of a COPY as an internal error, whatever the reason, and keeps the reasons for
 * INSERT: there a refused COPY goes by INSERT first.
 *
 * Rows are stored in the order given, but for those of an INSERT. Partial success is harmless: what is stored twice is
 * found out by its key.
 */
#ifndef STORE_POSTGRES_PG_BATCH_H
#define STORE_POSTGRES_PG_BATCH_H

#include "base/repeat.h"
#include "store/dead_letter.h"
#include "store/postgres/partitions.h"
#include "store/postgres/pg_rows.h"
#include "store/sink.h"

/* Rows that wait for another one of their batch to be stored; with more, and none stored, the table is to blame. */
#define SUSPECTS_MAX 16

struct pg_batch {
	struct rows *rows; /* borrowed */
	struct partitions *partitions; /* borrowed */
	struct dead_letters file; /* for the letters that the table does not take */
	enum rows_method method; /* as pg_probe() has found */
	bool duplicates; /* in the last batch */
	bool refuses_all; /* the last batch that it took nothing of is not cleared yet */
	int64_t cleared_us; /* steady clock, when it took rows after such a batch; 0: long ago */
	struct repeat letters; /* some events of a batch became dead letters */
	struct repeat lost_batches; /* all of them did, for one reason */
	struct repeat table_refuses; /* the table of dead letters takes none */
	uint64_t letters_unlogged;

	/* Of the batch at hand. */
	bool probed, months_read, file_used;
	const struct record *suspects[SUSPECTS_MAX];
	uint32_t suspect_count;
	struct error suspicion; /* what the last one was refused for */
	struct sink_result result;
	struct error refusal; /* of the last dead letter */
	char sqlstate[6]; /* of all dead letters; "": they differ */
};

/* data_dir, rows and partitions are borrowed. pg_batch_free() releases everything but the struct. */
void pg_batch_init(struct pg_batch *batch, struct rows *rows, struct partitions *partitions, const char *data_dir);
void pg_batch_free(struct pg_batch *batch);

/*
 * Stores the records of *batch, at least one. 0: each of them is stored, a duplicate or a dead letter, all durably, and *result
 * counts them. <0: the store is away, and result->in_doubt says whether some of them may be stored.
 */
int pg_batch_store(struct pg_batch *b, const struct batch *batch, struct sink_result *result, struct error *err);

/* Now and then: logs the dead letters that no line has counted yet. */
void pg_batch_upkeep(struct pg_batch *batch);

#endif
