/*
 * A group is the events that one transaction is to store. A group that cannot be stored whole is stored in parts, by
 * the same function.
 */
#include "store/webhooks/publish_batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db_refusal.h"
#include "store/webhooks/event_keys.h"
#include "store/webhooks/event_rows.h"
#include "store/webhooks/publish_check.h"
#include "store/webhooks/publish_handover.h"

/* Of two transactions in a deadlock one goes on: more in a row than this have another cause. */
#define BUSY_ATTEMPTS 5

/* A transaction for a single tenant locks its routes, so one attempt is enough then. */
#define STALE_ATTEMPTS 10

/* If the store took an event within this time, a refusal is the event's fault. */
#define CLEARED_FOR_US (60ll * 1000000)

/* If places were locked within this time, a transaction first tries to lock them. */
#define LOCKED_FOR_US (10ll * 1000000)

/*
 * In addition to enum publish_condition. EXISTS: an event is, or may be, stored already. WAITS: another session has the
 * places of an endpoint with fifo locked; the events get no outcome, and come again.
 */
enum { PUBLISH_EXISTS = PUBLISH_SLOW + 1, PUBLISH_WAITS };

void
publish_batch_init(struct publish_batch *b, const struct config *config, const struct sink_env *env)
{
	*b = (struct publish_batch){.config = config, .env = env};
	publish_gather_init(&b->gather, config);
	publish_dead_init(&b->dead, config->data_dir);
}

void
publish_batch_free(struct publish_batch *b)
{
	publish_dead_free(&b->dead);
	publish_gather_free(&b->gather);
	free(b->all);
	free(b->items);
}

/* ---- one transaction ---- */

/*
 * Writes to the node's row. Events stored earlier may not have reached the standbys, and only a transaction that writes
 * something waits for them.
 */
static int
touch_node(struct db *db, const struct publication_group *group, struct error *err)
{
	static const struct db_statement touch = {"UPDATE delivery_nodes SET epoch = epoch WHERE node_id = $1", NULL};
	const struct db_param params[] = {db_int(group->node.node_id)};

	for (uint32_t i = 0; i < group->count; i++)
		if (group->items[i]->outcome.result == 0)
			return 0;
	return db_query(db, &touch, params, 1, NULL, err);
}

/* Uses INSERT after a refusal without a reason, because the store gives one for an INSERT. */
static db_adds *
adds(const struct publish_batch *b)
{
	return b->unexplained ? db_insert : db_load;
}

/*
 * Tries to lock places first if they were locked lately: events that have to wait then cost little. 0, PUBLISH_WAITS,
 * or as db_query().
 */
static int
try_places(struct publish_batch *b, const struct publication_group *group, struct error *err)
{
	int rc = 0;

	if (b->locked_us != 0 && clock_steady_us() < b->locked_us + LOCKED_FOR_US)
		rc = jobs_try_places(b->db, group, err);
	return rc == DB_BUSY ? PUBLISH_WAITS : rc;
}

/* Fills the transaction. hold: locks the routes of the only tenant until its end. */
static int
fill(struct publish_batch *b, const struct publication_group *group, bool hold, struct error *err)
{
	int rc = db_begin(b->db, err);

	if (rc == 0 && hold)
		rc = publish_route(&b->gather, b->db, group->items, group->count, router_hold, err);
	if (rc == 0)
		rc = try_places(b, group, err);
	if (rc == 0 && b->careful)
		rc = events_find(b->db, group, b->config->store_timeout_ms, err);
	if (rc == 0)
		rc = event_keys_claim(b->db, group, err);
	if (rc == 0) {
		rc = events_add(b->db, group, adds(b), err);
		if (rc == DB_REFUSED && db_conflict(b->db))
			return PUBLISH_EXISTS;
	}
	if (rc == 0)
		rc = touch_node(b->db, group, err);
	if (rc == 0) {
		rc = jobs_add(b->db, group, adds(b), err);
		if (rc == DB_BUSY)
			rc = PUBLISH_WAITS;
	}
	if (rc != DB_REFUSED || !db_unexplained(b->db))
		return rc;
	b->unexplained = true;
	return PUBLISH_EXISTS;
}

static void
forget_outcomes(struct publication *const *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (items[i]->outcome.result != PUBLISH_GONE)
			items[i]->outcome = (struct publish_outcome){0};
}

/* Follows the commit: sets outcomes and hands over jobs. */
static void
finish_group(struct publish_batch *b, const struct publication_group *group, int64_t begun_us)
{
	bool known = false;

	b->in_doubt = true; /* if a later transaction fails */
	for (uint32_t i = 0; i < group->count; i++) {
		struct publication *item = group->items[i];

		known = known || item->outcome.result == PUBLISH_STORED;
		item->fresh = item->outcome.result == 0;
		b->stored_any = b->stored_any || item->fresh;
		if (item->fresh)
			item->outcome =
			    (struct publish_outcome){.result = PUBLISH_STORED, .jobs = item->jobs, .fresh = 1};
	}
	if (b->stored_any)
		b->cleared_us = clock_steady_us();
	b->found_known = b->found_known || known;
	publish_hand_over(b->env, group, known, begun_us);
}

/*
 * Stores events, sorted by tenant, in one transaction. Returns as publish_check_and_commit(), PUBLISH_EXISTS or
 * PUBLISH_WAITS.
 */
static int
transact(struct publish_batch *b, struct publication *const *items, uint32_t count, bool hold, struct error *err)
{
	const struct publication_group group = {
	    .items = items, .count = count, .jobs = &b->gather.jobs, .node = b->node, .now_ms = clock_wall_us() / 1000};
	int64_t begun_us = clock_boot_us();
	bool commits;

	forget_outcomes(items, count);
	int rc = fill(b, &group, hold, err);

	commits = rc == 0;
	if (commits)
		rc = publish_check_and_commit(b->db, b->config, &group, err);
	if (rc == 0) {
		finish_group(b, &group, begun_us);
		publish_gather_fast(&b->gather);
	} else {
		(void)snprintf(b->sqlstate, sizeof b->sqlstate, "%s", rc == DB_REFUSED ? db_sqlstate(b->db) : "");
		b->lacks_partition = rc == DB_REFUSED && db_lacks_partition(b->db);
		db_rollback(b->db);
		if (rc == PUBLISH_WAITS)
			forget_outcomes(items, count);
		/* Half of the time: the server ends a statement a little before the whole. */
		if (clock_boot_us() - begun_us >= (int64_t)b->config->store_timeout_ms * 500)
			publish_gather_slow(&b->gather, count);
	}
	b->in_doubt = b->in_doubt || (rc < 0 && commits);
	return rc;
}

/* ---- one group ---- */

static int store_items(
    struct publish_batch *b, struct publication *const *items, uint32_t count, bool alone, struct error *err);

/* Each tenant by itself. */
static int
store_by_tenant(struct publish_batch *b, struct publication *const *items, uint32_t count, struct error *err)
{
	uint32_t begin = 0;
	int rc = 0;

	for (uint32_t i = 1; i <= count && rc == 0; i++)
		if (i == count || !publication_same_tenant(items[i], items[begin])) {
			rc = store_items(b, &items[begin], i - begin, true, err);
			begin = i;
		}
	return rc;
}

static int
blame_store(const struct publish_batch *b, uint32_t refused, struct error *err)
{
	return error_set(
	    err, "the webhooks' store refuses every event, %u so far: %s", (unsigned)refused, b->suspicion.text);
}

/* Decides about a refused event. 0, or <0: the store is at fault. */
static int
decide_refused(struct publish_batch *b, struct publication *item, struct error *err)
{
	enum blame blame = blame_of(b->sqlstate);

	/*
	 * Without the current month's partition every event is refused. Citus does not distinguish that from a
	 * CHECK.
	 */
	if (b->lacks_partition)
		blame = db_distributed(b->db) ? BLAME_UNCLEAR : BLAME_STORE;
	if (blame == BLAME_STORE)
		return -1;
	/* dead.reason is set when a person stores one event again: there are no other events to compare with. */
	if (blame == BLAME_EVENT || b->stored_any || b->dead.reason != NULL ||
	    (b->cleared_us != 0 && clock_steady_us() < b->cleared_us + CLEARED_FOR_US)) {
		b->in_doubt = true;
		return publish_dead_refused(&b->dead, item, b->sqlstate, err->text, err);
	}
	b->suspicion = *err;
	if (b->suspect_count == PUBLISH_SUSPECTS_MAX)
		return blame_store(b, PUBLISH_SUSPECTS_MAX + 1, err);
	b->suspects[b->suspect_count++] = item;
	return 0;
}

/*
 * Stores events. alone: they are of one tenant, whose routes keep changing. 0; PUBLISH_WAITS: not all are stored; or
 * <0: the store is unavailable.
 */
static int
store_items(struct publish_batch *b, struct publication *const *items, uint32_t count, bool alone, struct error *err)
{
	uint32_t busy = 0, stale = 0, half = count / 2;
	int rc;

	for (;;) {
		rc = transact(b, items, count, alone, err);
		if (rc == PUBLISH_STALE && ++stale == 2 && !alone)
			return store_by_tenant(b, items, count, err);
		if (rc == PUBLISH_STALE || rc == DB_BUSY) {
			if (rc == PUBLISH_STALE && stale == STALE_ATTEMPTS)
				return error_set(err, "the subscriptions of a tenant change all the time");
			if (rc == DB_BUSY && ++busy == BUSY_ATTEMPTS)
				return -1;
			rc = publish_route(&b->gather, b->db, items, count, router_refresh, err);
			if (rc != 0)
				return -1;
		} else if (rc == PUBLISH_EXISTS && (!b->careful || ++busy < BUSY_ATTEMPTS))
			b->careful = true;
		else
			break;
	}
	if (rc == PUBLISH_NO_NODE)
		return error_set(err, "this node has lost its row: a new one is made");
	if (rc <= 0 || rc == PUBLISH_WAITS)
		return rc;
	if (count == 1 && rc == PUBLISH_SLOW)
		return error_set(err, "a transaction has taken longer than STORE_TIMEOUT_MS");
	if (count == 1)
		return decide_refused(b, items[0], err);
	rc = store_items(b, items, half, alone, err);
	return rc != 0 ? rc : store_items(b, items + half, count - half, alone, err);
}

/* ---- groups ---- */

/* Marks all events of its tenant that have no outcome. The mark stays until they are tried again. */
static void
mark(struct publish_batch *b, const struct publication *item, bool waits)
{
	for (uint32_t i = 0; i < b->batch->count; i++)
		if (b->all[i].outcome.result == 0 && publication_same_tenant(&b->all[i], item))
			b->all[i].outcome.waits = waits;
	b->locked = b->locked || waits;
}

/* Leaves its tenant's events to the next call, in order; other tenants' events go on. 0 or <0. */
static int
set_aside(struct publish_batch *b, const struct publication *item, struct error *err)
{
	uint64_t times;

	b->locked_us = clock_steady_us();
	times = repeat_met(&b->waits, b->locked_us);
	if (b->batch->outcomes == NULL)
		return error_set(err, "somebody has the order of an endpoint with fifo locked");
	if (times > 0)
		log_warning("another session has the order of an endpoint locked: events of its tenant wait",
		    LOG_STR("error", err->text), LOG_UINT("times", times));
	publish_gather_pass_over(&b->gather, item);
	mark(b, item, true);
	return 0;
}

/* Stores the batch, or one group of it: the caller calls again for the others. */
static int
store_groups(struct publish_batch *b, struct error *err)
{
	while (b->gather.left > 0) {
		int64_t count = publish_gather_next(&b->gather, b->db, b->items, err);
		int rc = count < 0 ? -1 : count > 0 ? store_items(b, b->items, (uint32_t)count, false, err) : 0;

		if (rc == PUBLISH_WAITS && set_aside(b, b->items[0], err) != 0)
			return -1;
		if (rc < 0)
			return -1;
		/* Only a group of a single tenant can have waited for a lock on an order. */
		if (rc == 0 && count > 0 && b->locked && publication_same_tenant(b->items[0], b->items[count - 1]))
			mark(b, b->items[0], false);
		publish_gather_done(&b->gather, b->items, (uint32_t)count);
		router_trim(b->gather.router);
		sink_env_heartbeat(b->env);
		/* With suspects all groups are stored first: their success shows that the store is not at fault. */
		if (count > 0 && rc == 0 && b->batch->outcomes != NULL && b->suspect_count == 0)
			break;
	}
	return 0;
}

/* Tries the suspects once more after the rest of the batch is stored. */
static int
retry_suspects(struct publish_batch *b, struct error *err)
{
	uint32_t count = b->suspect_count;

	if (count > 0 && !b->stored_any)
		return blame_store(b, count, err);
	for (uint32_t i = 0; i < count; i++) {
		publish_route_none(&b->gather);
		if (publish_route(&b->gather, b->db, &b->suspects[i], 1, router_find, err) != 0)
			return -1;

		int rc = store_items(b, &b->suspects[i], 1, false, err);

		if (rc == PUBLISH_WAITS)
			rc = set_aside(b, b->suspects[i], err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- the batch ---- */

static void
begin(struct publish_batch *b, const struct batch *batch)
{
	b->batch = batch;
	b->suspect_count = 0;
	b->stored_any = b->in_doubt = b->found_known = b->unexplained = b->locked = false;
	if (batch->count > b->capacity) {
		b->capacity = batch->count;
		b->all = mem_resize(b->all, b->capacity, sizeof *b->all);
		b->items = mem_resize(b->items, b->capacity, sizeof(struct publication *));
	}
	for (uint32_t i = 0; i < batch->count; i++) {
		b->all[i] = (struct publication){.record = batch->records[i], .number = i};
		if (batch->outcomes != NULL)
			b->all[i].outcome = *batch->outcomes[i];
		b->locked = b->locked || b->all[i].outcome.waits != 0;
	}
	publish_gather_begin(&b->gather, batch, b->all);
}

/* Makes conflicts of spooled events dead letters, because no client waits for the answer. 0 or <0. */
static int
keep_conflicts(struct publish_batch *b, struct error *err)
{
	for (uint32_t i = 0; i < b->batch->count && b->batch->requests == NULL; i++) {
		if (b->all[i].outcome.result != PUBLISH_CONFLICT)
			continue;
		b->in_doubt = true;
		if (publish_dead_conflict(&b->dead, &b->all[i], err) < 0)
			return -1;
	}
	return publish_dead_sync(&b->dead, err);
}

/* Counts the outcomes, and reports them to waiting requests. */
static void
report(const struct publish_batch *b, struct sink_result *result)
{
	for (uint32_t i = 0; i < b->batch->count; i++) {
		const struct publication *item = &b->all[i];

		if (b->batch->outcomes != NULL && b->batch->outcomes[i]->result != 0)
			continue; /* reported by an earlier call */
		switch ((enum publish_result)item->outcome.result) {
		case PUBLISH_STORED:
			*(item->fresh ? &result->stored : &result->duplicates) += 1;
			break;
		case PUBLISH_KNOWN:
			result->duplicates++;
			break;
		case PUBLISH_CONFLICT:
		case PUBLISH_GONE:
		case PUBLISH_TOO_MANY:
			result->discarded++;
			break;
		case PUBLISH_DEAD:
			result->dead_lettered++;
			break;
		}
		if (b->batch->outcomes != NULL)
			*b->batch->outcomes[i] = item->outcome;
	}
}

int
publish_batch_store(struct publish_batch *b, const struct batch *batch, const struct node_row *node,
    struct sink_result *result, struct error *err)
{
	assert(batch->count > 0);
	*result = (struct sink_result){0};
	b->node = *node;
	begin(b, batch);

	int rc = store_groups(b, err);

	if (rc == 0)
		rc = retry_suspects(b, err);
	if (rc == 0)
		rc = keep_conflicts(b, err);
	b->careful = b->found_known;
	if (rc == 0)
		report(b, result);
	else
		result->in_doubt = b->in_doubt;
	return rc;
}
