/*
 * One connection, which reconnects by itself (store/db.h). Nothing is stored before this node has a row, because jobs
 * belong to nodes.
 */
#include "store/webhooks/sink_publish.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/publish_batch.h"
#include "store/webhooks/publish_handover.h"

/* How long opening waits for the node's row, and how often it looks. */
#define NODE_WAIT_US 2000000
#define NODE_POLL_US 10000

struct sink_publish {
	struct sink super;
	const struct config *config;
	const struct sink_env *env;
	connect_db *connect_store;
	struct db *db; /* NULL: not connected yet */
	struct publish_batch batch;
};

/*
 * Finds the node: a process of the service reads its row in the segment; hooksctl has no node of its own. 0, or <0: not
 * now.
 */
static int
find_node(const struct sink_publish *s, struct node_row *node, struct error *err)
{
	const struct handing_over *over = s->env->handing_over;

	if (over == NULL)
		return publish_find_node(s->db, node, err) == 0 ? 0 : -1;
	return over->node(s->env->context, node) ? 0 : error_set(err, "this node has no row yet: a courier makes it");
}

/* Waits at a start, when the row is about to be made. 0, or <0: not now. */
static int
wait_for_node(const struct sink_publish *s, struct error *err)
{
	int64_t until_us = clock_steady_us() + NODE_WAIT_US;
	struct node_row node;
	int rc;

	while ((rc = find_node(s, &node, err)) != 0 && clock_steady_us() < until_us)
		(void)usleep(NODE_POLL_US);
	return rc;
}

/* Whether the store answers. 0, or <0: it does not. */
static int
ask(struct sink_publish *s, struct error *err)
{
	int64_t version;

	return changes_version(s->db, &version, err) == 0 ? 0 : -1;
}

static int
publish_open(struct sink *sink, struct error *err)
{
	static const struct db_env none = {0};
	struct sink_publish *s = (struct sink_publish *)sink;

	if (s->db == NULL &&
	    s->connect_store(&s->db, s->config, s->env->database != NULL ? s->env->database : &none, err) != 0)
		return -1;
	return ask(s, err) != 0 ? -1 : wait_for_node(s, err);
}

static int
publish_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	struct sink_publish *s = (struct sink_publish *)sink;
	struct node_row node;

	*result = (struct sink_result){0};
	if (find_node(s, &node, err) != 0)
		return -1;
	s->batch.db = s->db;

	int rc = publish_batch_store(&s->batch, batch, &node, result, err);

	sink_env_count(s->env, rc == 0 ? COUNTER_PUBLISHES_STORED : COUNTER_PUBLISHES_FAILED, 1);
	if (rc != 0 || s->env->handing_over != NULL || result->stored + result->duplicates == 0)
		return rc;
	rc = publish_raise_versions(s->db, batch->records, batch->count, err);
	result->in_doubt = rc != 0;
	return rc == 0 ? 0 : -1;
}

/* Routes are checked with each commit, so they need no upkeep. */
static int
publish_upkeep(struct sink *sink, struct error *err)
{
	return ask((struct sink_publish *)sink, err);
}

int
sink_publish_retry(struct sink *sink, const struct record *record, struct dead_letter_reason *reason, struct error *err)
{
	struct sink_publish *s = (struct sink_publish *)sink;
	const struct batch batch = {&record, 1, NULL};
	struct sink_result result;
	int rc = publish_open(sink, err);

	*reason = (struct dead_letter_reason){.sqlstate = "42704"}; /* undefined_object */
	(void)error_set(&reason->message, "its tenant is deleted");
	s->batch.dead.reason = reason;
	if (rc == 0)
		rc = publish_store(sink, &batch, &result, err);
	s->batch.dead.reason = NULL;
	if (rc != 0)
		return rc;
	if (result.stored > 0)
		return DEAD_LETTER_STORED;
	return result.duplicates > 0 ? DEAD_LETTER_DUPLICATE : DEAD_LETTER_REFUSED;
}

static void
publish_close(struct sink *sink)
{
	struct sink_publish *s = (struct sink_publish *)sink;

	publish_batch_free(&s->batch);
	db_close(s->db);
	free(s);
}

struct sink *
sink_publish_new(const struct config *config, const struct sink_env *env, connect_db *connect_store)
{
	static const struct sink_ops ops = {.name = "webhooks",
	    .opens_in_thread = true,
	    .keyed = true,
	    .open = publish_open,
	    .store = publish_store,
	    .upkeep = publish_upkeep,
	    .close = publish_close};
	struct sink_publish *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	s->env = env;
	s->connect_store = connect_store;
	publish_batch_init(&s->batch, config, env);
	return &s->super;
}
