/* Reads the versions of this node's couriers in the segment, and those of other nodes in their rows. */
#include "control/propagation.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/tree.h"
#include "shm/node.h"
#include "store/webhooks/changes.h"

#define LONGEST_US (5 * 1000 * 1000)
#define MARGIN_US (300 * 1000) /* before the deadline: for the reply */
#define SHORT_SLEEP_US 2000
#define LONG_SLEEP_US (20 * 1000)
#define SHORT_SLEEPS 10

/* Whether a courier of this node may still act by an earlier version. */
static bool
this_node_waits(const struct segment *segment, int64_t version)
{
	for (uint32_t i = 0; i < segment->counts[ROLE_COURIER]; i++) {
		const struct courier_slot *courier = segment_courier(segment, i);

		if (courier_can_begin(courier) && courier_seen_version(courier) < version)
			return true;
	}
	return false;
}

void
propagation_wake_couriers(const struct segment *segment, int64_t version)
{
	node_raise_changes_version(&segment->header->node, version);
	segment_wake_all(segment, ROLE_COURIER);
}

/* The names of other nodes that may act by an earlier version. Returns as db_query(). */
static int
other_nodes(const struct request *request, int64_t version, struct db_rows **rows, struct error *err)
{
	struct node_row own = {0};

	*rows = NULL;
	if (request->context->config->hl_store == HL_STORE_EMBEDDED)
		return 0; /* a store with only one node */
	(void)node_read(&request->context->segment->header->node, &own);
	return changes_unseen(request->db, version, own.node_id, rows, err);
}

static cJSON *
names_of(bool this_node, const struct db_rows *rows)
{
	cJSON *names = cJSON_CreateArray();
	char name[HOST_NAME_MAX + 1] = "";

	if (names == NULL)
		mem_none(0);
	(void)gethostname(name, sizeof name - 1);
	if (this_node)
		(void)cJSON_AddItemToArray(names, cJSON_CreateString(name));
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		(void)cJSON_AddItemToArray(names, cJSON_CreateString(db_rows_text(rows, row, 0).base));
	return names;
}

/* Adds "pending_nodes" to the reply's object, or to an empty one, and answers 202. */
static void
answer_pending(struct reply *reply, cJSON *names)
{
	char *text = cJSON_PrintUnformatted(names);

	if (text == NULL)
		mem_none(0);
	cJSON_Delete(names);
	assert(reply->body.len == 0 || reply->body.base[reply->body.len - 1] == '}');
	if (reply->body.len > 0)
		reply->body.len--;
	bytes_add(&reply->body, reply->body.len > 0 ? "," : "{", 1);
	bytes_add_text(&reply->body, "\"pending_nodes\":");
	bytes_add_text(&reply->body, text);
	bytes_add(&reply->body, "}", 1);
	reply->status = 202;
	cJSON_free(text);
}

void
propagation_wait(const struct request *request, int64_t version, struct reply *reply)
{
	const struct segment *segment = request->context->segment;
	int64_t until_us = clock_steady_us() + LONGEST_US;
	struct db_rows *others = NULL;
	bool this_node, late;
	struct error err;

	if (until_us > request->deadline_us - MARGIN_US)
		until_us = request->deadline_us - MARGIN_US;
	propagation_wake_couriers(segment, version);
	for (unsigned sleeps = 0;; sleeps++) {
		int rc = 0;

		late = clock_steady_us() >= until_us;
		this_node = this_node_waits(segment, version);
		if (!this_node || late)
			rc = other_nodes(request, version, &others, &err);
		if (rc != 0) {
			reply_reset(reply);
			answer_store_failed(reply, rc, &err);
			return;
		}
		if (late || (!this_node && db_rows_count(others) == 0))
			break;
		db_rows_free(others);
		others = NULL;
		(void)nanosleep(
		    &(struct timespec){.tv_nsec = 1000 * (sleeps < SHORT_SLEEPS ? SHORT_SLEEP_US : LONG_SLEEP_US)},
		    NULL);
	}
	if (this_node || db_rows_count(others) > 0)
		answer_pending(reply, names_of(this_node, others));
	db_rows_free(others);
}
