/* Endpoints in the order in which they were added. */
#include "courier/job_marker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db_refusal.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"

#define SLICE_ROWS 1000
#define LATE_AGAIN_US (30 * INT64_C(1000000))

struct marking {
	struct id_link link; /* first: by endpoint */
	struct marking *next;
	char *tenant_id;
	uint8_t after[16]; /* rows up to that job_id are marked */
	bool holds, by_pause;
	int64_t lifetime_ms;
};

static const uint8_t none[16];

static struct marking *
find(const struct job_marker *marker, const uint8_t endpoint_id[16])
{
	return (struct marking *)id_table_find(&marker->table, endpoint_id);
}

static void
put_last(struct job_marker *marker, struct marking *marking)
{
	marking->next = NULL;
	if (marker->first == NULL)
		marker->first = marking;
	else
		marker->last->next = marking;
	marker->last = marking;
}

static struct marking *
add(struct job_marker *marker, const struct mark_request *request)
{
	struct marking *marking = mem_new(1, sizeof *marking);

	marking->tenant_id = mem_strdup(request->tenant_id);
	memcpy(marking->link.id, request->endpoint_id, sizeof marking->link.id);
	memcpy(marking->after, request->after != NULL ? request->after : none, sizeof marking->after);
	id_table_add(&marker->table, &marking->link);
	put_last(marker, marking);
	return marking;
}

/* Starts behind the rows already marked. Pages come in order, and each asks for its rows. */
static void
begin_behind(struct marking *marking, const struct mark_request *request)
{
	if (request->after == NULL || marking->holds != request->holds)
		memset(marking->after, 0, sizeof marking->after);
	else if (memcmp(request->after, marking->after, sizeof marking->after) < 0)
		memcpy(marking->after, request->after, sizeof marking->after);
}

void
job_marker_add(struct job_marker *marker, const struct mark_request *request)
{
	struct marking *marking = find(marker, request->endpoint_id);

	if (marking == NULL)
		marking = add(marker, request);
	else
		begin_behind(marking, request);
	marking->holds = request->holds;
	marking->by_pause = request->by_pause;
	marking->lifetime_ms = request->lifetime_ms;
}

/* An endpoint that holds by itself still holds after the pause. */
void
job_marker_add_paused(struct job_marker *marker, const char *tenant_id, const uint8_t endpoint_id[16])
{
	const struct marking *marking = find(marker, endpoint_id);
	bool by_itself = marking != NULL && marking->holds && !marking->by_pause;

	job_marker_add(marker, &(struct mark_request){tenant_id, endpoint_id, .holds = true, .by_pause = !by_itself});
}

bool
job_marker_has_work(const struct job_marker *marker)
{
	return marker->first != NULL && clock_steady_us() >= marker->not_before_us;
}

bool
job_marker_has(const struct job_marker *marker, const uint8_t endpoint_id[16])
{
	return find(marker, endpoint_id) != NULL;
}

static void
remove_at(struct job_marker *marker, struct marking **at)
{
	struct marking *marking = *at;

	*at = marking->next;
	id_table_remove(&marker->table, &marking->link);
	free(marking->tenant_id);
	free(marking);
}

/* A scan finds the rows of these endpoints, and a page shows whether rows must become pending again. */
void
job_marker_end_pauses(struct job_marker *marker, const struct pauses *pauses)
{
	struct marking **at = &marker->first;

	marker->last = NULL;
	while (*at != NULL) {
		const struct span tenant_id = {(*at)->tenant_id, strlen((*at)->tenant_id)};

		if ((*at)->by_pause && !pauses_have(pauses, tenant_id)) {
			remove_at(marker, at);
			continue;
		}
		marker->last = *at;
		at = &(*at)->next;
	}
}

/* The marks decide only how long jobs may wait. */
static void
log_refused(struct job_marker *marker, const struct marking *marking, const struct error *err)
{
	uint64_t times = repeat_met(&marker->refused, clock_steady_us());
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(marking->link.id, id);
	if (times > 0)
		log_warning(
		    "the store refuses to mark the jobs of an endpoint as held or pending: they stay as they are",
		    LOG_STR("endpoint_id", id), LOG_STR("error", err->text), LOG_UINT("times", times));
}

/* Puts the first endpoint behind the others, and the next step off. */
static void
put_off(struct job_marker *marker, const struct error *err)
{
	struct marking *marking = marker->first;
	int64_t now_us = clock_steady_us();
	uint64_t times = repeat_met(&marker->late, now_us);
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(marking->link.id, id);
	if (times > 0)
		log_warning("the jobs of an endpoint cannot be marked as held or pending in time: it is tried again",
		    LOG_STR("endpoint_id", id), LOG_STR("error", err->text), LOG_UINT("times", times));
	marker->first = marking->next;
	put_last(marker, marking);
	marker->not_before_us = now_us + LATE_AGAIN_US;
}

int
job_marker_step(struct job_marker *marker, struct db *db, int64_t node_id, struct error *err)
{
	struct marking *marking = marker->first;
	const struct job_range range = {.tenant_id = marking->tenant_id,
	    .endpoint_id = marking->link.id,
	    .node_id = node_id,
	    .after = marking->after,
	    .limit = SLICE_ROWS};
	uint8_t last[16] = {0};
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = marking->holds ? job_rows_hold(db, &range, last, err)
				    : job_rows_release(db, &range, marking->lifetime_ms, last, err);
	rc = db_end(db, rc, err);
	if (rc == DB_REFUSED) {
		log_refused(marker, marking, err);
		memset(last, 0, sizeof last);
	} else if (rc == DB_BUSY || (rc < 0 && db_timed_out(db))) {
		put_off(marker, err);
		return 0;
	} else if (rc != 0) {
		return rc;
	}
	memcpy(marking->after, last, sizeof marking->after);
	if (memcmp(last, none, sizeof last) == 0)
		remove_at(marker, &marker->first);
	return 0;
}

void
job_marker_clear(struct job_marker *marker)
{
	while (marker->first != NULL)
		remove_at(marker, &marker->first);
	id_table_free(&marker->table);
}
