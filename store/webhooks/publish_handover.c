/* One call hands over an event with all its jobs; the process distributes them to couriers. */
#include "store/webhooks/publish_handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/routing.h"

/* Writes an event's jobs that are not held and that this node sends. Returns their number. */
static uint32_t
jobs_of(const struct publication_group *group, const struct publication *item, struct handover_job *jobs)
{
	uint32_t count = 0;

	for (uint32_t k = 0; k < item->jobs; k++) {
		const struct route_job *job = &group->jobs->jobs[item->first_job + k];

		if (job->held || (job->fifo && job->node_id != group->node.node_id))
			continue;
		jobs[count] = (struct handover_job){
		    .expires_ms = group->now_ms + job->lifetime_ms, .number = k + 1, .fifo = job->fifo};
		memcpy(jobs[count].endpoint_id, job->endpoint_id, 16);
		memcpy(jobs[count++].transform_id, job->transform_id, 16);
	}
	return count;
}

static uint32_t
most_jobs(const struct publication_group *group)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < group->count; i++)
		if (group->items[i]->fresh && group->items[i]->jobs > most)
			most = group->items[i]->jobs;
	return most;
}

void
publish_hand_over(const struct sink_env *env, const struct publication_group *group, bool known, int64_t begun_us)
{
	const struct handing_over *over = env->handing_over;
	uint32_t most = most_jobs(group);

	if (over == NULL)
		return;
	if (known)
		over->missed(env->context);
	if (most == 0)
		return;

	struct handover_job *jobs = mem_new(most, sizeof *jobs);

	for (uint32_t i = 0; i < group->count; i++) {
		const struct publication *item = group->items[i];
		uint32_t count = item->fresh ? jobs_of(group, item, jobs) : 0;

		if (count > 0)
			over->add(env->context, item->record, jobs, count, begun_us);
	}
	over->end(env->context);
	free(jobs);
}

int
publish_find_node(struct db *db, struct node_row *node, struct error *err)
{
	static const struct db_statement newest = {"SELECT node_id, epoch FROM delivery_nodes WHERE adopted_by IS NULL"
						   " ORDER BY alive_at DESC LIMIT 1",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &newest, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0)
		*node = (struct node_row){db_rows_int(rows, 0, 0), db_rows_int(rows, 0, 1)};
	else
		rc = error_set(err, "no hooksd has delivered from this store yet: start one first");
	db_rows_free(rows);
	return rc;
}

int
publish_raise_versions(struct db *db, const struct record *const *records, uint32_t count, struct error *err)
{
	char tenant[256];
	struct span before = {NULL, 0};
	int64_t version;
	int rc = db_begin(db, err);

	for (uint32_t i = 0; i < count && rc == 0; i++) {
		struct span id = record_tenant_name(records[i]);

		/* Usually the same tenant comes several times in a row. Raising a version twice does no harm. */
		if (before.base != NULL && before.len == id.len && memcmp(before.base, id.base, id.len) == 0)
			continue;
		before = id;
		(void)snprintf(tenant, sizeof tenant, "%.*s", (int)id.len, id.base);
		rc = routing_raise_for_couriers(db, tenant, err);
	}
	if (rc == 0)
		rc = changes_raise(db, &version, err);
	return db_end(db, rc, err);
}
