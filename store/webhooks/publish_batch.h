/*
 * Stores a batch of published events in groups (publish_gather.h). One transaction stores the events of many tenants.
 * If it fails, the next step depends on the cause:
 *
 *   a tenant's routes have changed   they are read again, and the events routed again. After two of those in a row each
 *                                    tenant gets a transaction of its own, which keeps its routes from changing
 *   an event is there already        an earlier transaction has stored it, and nobody has learned of that. Events that
 *                                    are there are looked for first, and make no job again
 *   the store does not say why it    the same, and rows are added so that it does
 *   refuses (Citus)
 *   a deadlock or the like           the transaction is repeated a few times
 *   places of an endpoint with fifo  those events have a group of their own tenant's. They come again with the next
 *   are locked for a second          call; for a while nobody waits for such a lock longer than some milliseconds, so
 *                                    that the events of other tenants do not wait with them
 *   it takes longer than it may      the events are stored in halves, and later groups are smaller for a while
 *   an event is refused              the events are stored in halves, and the halves in halves, until the refused event
 *                                    is alone: it becomes a dead letter, if it is to blame. The store is to blame if it
 *                                    took no event of the batch and none within a minute, and the refusal does not name
 *                                    the event's contents
 *
 * For one thread.
 */
#ifndef STORE_WEBHOOKS_PUBLISH_BATCH_H
#define STORE_WEBHOOKS_PUBLISH_BATCH_H

#include "base/error.h"
#include "base/repeat.h"
#include "config/config.h"
#include "store/db.h"
#include "store/sink.h"
#include "store/sink_env.h"
#include "store/webhooks/publication.h"
#include "store/webhooks/publish_dead.h"
#include "store/webhooks/publish_gather.h"

/* The most events that may wait for the rest of their batch to show whether they are at fault. */
#define PUBLISH_SUSPECTS_MAX 16

struct publish_batch {
	const struct config *config; /* borrowed */
	const struct sink_env *env; /* borrowed */
	struct db *db; /* borrowed for each call */
	struct publish_gather gather;
	struct publish_dead dead;
	int64_t cleared_us; /* steady clock: the store last took an event; 0: never */
	int64_t locked_us; /* steady clock: places were last found locked; 0: never */
	bool careful; /* the last batch had events that were stored already */
	struct repeat waits;

	/* Of the current batch. */
	const struct batch *batch;
	struct publication *all;
	struct publication **items; /* of the present group */
	uint32_t capacity;
	struct node_row node;
	struct publication *suspects[PUBLISH_SUSPECTS_MAX];
	uint32_t suspect_count;
	char sqlstate[6]; /* of the last transaction, if it was refused */
	bool lacks_partition; /* the same */
	struct error suspicion; /* why the last suspect was refused */
	bool unexplained; /* the store has refused rows without a reason: use INSERT, for which it gives one */
	bool stored_any, in_doubt, found_known;
	bool locked; /* places of some events were locked at the last try */
};

/* config and env are borrowed until publish_batch_free(), which releases everything but the struct. */
void publish_batch_init(struct publish_batch *b, const struct config *config, const struct sink_env *env);
void publish_batch_free(struct publish_batch *b);

/*
 * Stores the records of *batch, at least one, all of the kind RECORD_PUBLISHED; node delivers their jobs. Hands over
 * the jobs after each commit. Returns as the sink's store() (store/sink.h).
 */
int publish_batch_store(struct publish_batch *b, const struct batch *batch, const struct node_row *node,
    struct sink_result *result, struct error *err);

#endif
