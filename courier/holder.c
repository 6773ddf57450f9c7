/* Endpoints in the order in which they were added. */
#include "courier/holder.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"

#define SLICE_ROWS 1000

struct holding {
	struct id_link link; /* first: by endpoint */
	struct holding *next;
	char *tenant_id;
	uint8_t after[16]; /* rows up to that job_id are marked */
	bool holds, by_pause;
	int64_t lifetime_ms;
};

static const uint8_t none[16];

static struct holding *
find(const struct holder *holder, const uint8_t endpoint_id[16])
{
	return (struct holding *)id_table_find(&holder->table, endpoint_id);
}

static struct holding *
add(struct holder *holder, const struct hold *hold)
{
	struct holding *holding = mem_new(1, sizeof *holding);

	holding->tenant_id = mem_strdup(hold->tenant_id);
	memcpy(holding->link.id, hold->endpoint_id, sizeof holding->link.id);
	memcpy(holding->after, hold->after != NULL ? hold->after : none, sizeof holding->after);
	id_table_add(&holder->table, &holding->link);
	if (holder->first == NULL)
		holder->first = holding;
	else
		holder->last->next = holding;
	holder->last = holding;
	return holding;
}

/* Starts behind the rows already marked. Pages come in order, and each asks for its rows. */
static void
begin_behind(struct holding *holding, const struct hold *hold)
{
	if (hold->after == NULL || holding->holds != hold->holds)
		memset(holding->after, 0, sizeof holding->after);
	else if (memcmp(hold->after, holding->after, sizeof holding->after) < 0)
		memcpy(holding->after, hold->after, sizeof holding->after);
}

void
holder_add(struct holder *holder, const struct hold *hold)
{
	struct holding *holding = find(holder, hold->endpoint_id);

	if (holding == NULL)
		holding = add(holder, hold);
	else
		begin_behind(holding, hold);
	holding->holds = hold->holds;
	holding->by_pause = hold->by_pause;
	holding->lifetime_ms = hold->lifetime_ms;
}

/* An endpoint that holds by itself still holds after the pause. */
void
holder_add_paused(struct holder *holder, const char *tenant_id, const uint8_t endpoint_id[16])
{
	const struct holding *holding = find(holder, endpoint_id);
	bool by_itself = holding != NULL && holding->holds && !holding->by_pause;

	holder_add(holder, &(struct hold){tenant_id, endpoint_id, .holds = true, .by_pause = !by_itself});
}

bool
holder_has_work(const struct holder *holder)
{
	return holder->first != NULL;
}

bool
holder_has(const struct holder *holder, const uint8_t endpoint_id[16])
{
	return find(holder, endpoint_id) != NULL;
}

static void
remove_at(struct holder *holder, struct holding **at)
{
	struct holding *holding = *at;

	*at = holding->next;
	id_table_remove(&holder->table, &holding->link);
	free(holding->tenant_id);
	free(holding);
}

/* A walk finds the rows of these endpoints, and a page shows whether rows must become pending again. */
void
holder_end_pauses(struct holder *holder, const struct pauses *pauses)
{
	struct holding **at = &holder->first;

	holder->last = NULL;
	while (*at != NULL) {
		const struct span tenant_id = {(*at)->tenant_id, strlen((*at)->tenant_id)};

		if ((*at)->by_pause && !pauses_have(pauses, tenant_id)) {
			remove_at(holder, at);
			continue;
		}
		holder->last = *at;
		at = &(*at)->next;
	}
}

/* The marks decide only how long jobs may wait. */
static void
log_refused(struct holder *holder, const struct holding *holding, const struct error *err)
{
	uint64_t times = repeat_met(&holder->refused, clock_steady_us());
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(holding->link.id, id);
	if (times > 0)
		log_warning(
		    "the store refuses to mark the jobs of an endpoint as held or pending: they stay as they are",
		    LOG_STR("endpoint_id", id), LOG_STR("error", err->text), LOG_UINT("times", times));
}

int
holder_step(struct holder *holder, struct db *db, int64_t node_id, struct error *err)
{
	struct holding *holding = holder->first;
	const struct job_range range = {.tenant_id = holding->tenant_id,
	    .endpoint_id = holding->link.id,
	    .node_id = node_id,
	    .after = holding->after,
	    .limit = SLICE_ROWS};
	uint8_t last[16] = {0};
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = holding->holds ? job_rows_hold(db, &range, last, err)
				    : job_rows_release(db, &range, holding->lifetime_ms, last, err);
	rc = db_end(db, rc, err);
	if (rc == DB_REFUSED) {
		log_refused(holder, holding, err);
		memset(last, 0, sizeof last);
	} else if (rc != 0) {
		return rc;
	}
	memcpy(holding->after, last, sizeof holding->after);
	if (memcmp(last, none, sizeof last) == 0)
		remove_at(holder, &holder->first);
	return 0;
}

void
holder_clear(struct holder *holder)
{
	while (holder->first != NULL)
		remove_at(holder, &holder->first);
	id_table_free(&holder->table);
}
