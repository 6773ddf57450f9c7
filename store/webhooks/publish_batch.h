/*
 * Stores a batch of published events in groups (publish_gather.h). One transaction stores the events of many tenants.
 * If it fails, the next step depends on the cause:
 *
 *   a tenant's routes have changed   read the routes and route the events again. After the second time in a row each
 *                                    tenant gets a transaction of its own, which locks its routes
 *   an event exists already          an earlier transaction has stored it, but its result was lost. Look for existing
 *                                    events first; they make no jobs again
 *   a refusal without a reason       the same, and add rows by INSERT, for which the store gives a reason
 *   (Citus)
 *   a deadlock or another conflict   repeat the transaction a few times
 *   places of an endpoint with fifo  the group has only one tenant. Its events come again with the next call. For a
 *   are locked for a second          while transactions wait only some milliseconds for such a lock, so that events of
 *                                    other tenants are not delayed
 *   it takes too long                bisect the events, and make later groups smaller for a while
 *   an event is refused              bisect the events until the refused event is alone: it becomes a dead letter, if
 *                                    it is at fault. The store is at fault if it took no event of the batch and none
 *                                    within a minute, and the refusal does not concern the event's contents
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
