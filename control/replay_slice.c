/* A part is the events that are in memory at a time: they are read, routed, compared with earlier jobs, and taken. */
#include "control/replay_slice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "control/tree.h"
#include "event/handover.h"
#include "store/webhooks/publish_gather.h"
#include "store/webhooks/replay_events.h"
#include "store/webhooks/replay_jobs.h"
#include "store/webhooks/stored_event.h"

#define SLICE_EVENTS 200
#define SLICE_WINDOW 1000 /* events of a range, including those of other topics */
#define PART_EVENTS 20
#define IDS_SHOWN 100 /* of an event's jobs */

struct part_event {
	uint8_t id[16];
	uint32_t job_count; /* job_count of its row: new jobs are numbered from there */
	uint32_t first, jobs; /* in part.jobs */
	bool passed; /* not among the events asked for */
	const char *error; /* why it cannot be replayed; NULL: it can */
};

struct part {
	const struct replay_slice *slice;
	struct part_event events[PART_EVENTS];
	uint32_t count;
	bool first; /* first part of the slice */
	bool last; /* no event follows */
	struct replay_window window; /* of a range: the slice ends with it */
	bool window_ends; /* no event of the window follows */
	struct route_jobs routed;
	struct replay_job *jobs; /* of the events, one for each of routed */
	struct bytes record, text;
};

/* ---- reading ---- */

static bool
is_none(const uint8_t id[16])
{
	static const uint8_t none[16];

	return memcmp(id, none, sizeof none) == 0;
}

/* Removes jobs for other endpoints than the one asked for. */
static void
keep_endpoint(struct part *part, struct part_event *event)
{
	const uint8_t *wanted = part->slice->request->endpoint_id;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < event->jobs; i++) {
		const struct route_job *job = &part->routed.jobs[event->first + i];

		if (is_none(wanted) || memcmp(job->endpoint_id, wanted, 16) == 0)
			part->routed.jobs[event->first + kept++] = *job;
	}
	event->jobs = kept;
	part->routed.count = event->first + kept;
}

/* 0, or DB_REFUSED: the event's id was edited and cannot be a place to go on from. */
static int
add_row(struct part *part, const struct db_rows *rows, uint32_t row, struct error *err)
{
	const struct replay_slice *slice = part->slice;
	struct part_event *event = &part->events[part->count++];
	struct span id = db_rows_text(rows, row, JOB_EVENT_COLUMN_JOB_ID);
	int64_t jobs = db_rows_int(rows, row, REPLAY_EVENT_COLUMN_JOBS);

	*event = (struct part_event){.first = part->routed.count};
	if (id.base == NULL || !uuid_parse(id.base, id.len, event->id)) {
		(void)error_set(err, "an event has an id that is no UUID");
		return DB_REFUSED;
	}
	event->passed = !topic_filter_fits(&slice->request->topic, db_rows_text(rows, row, JOB_EVENT_COLUMN_TOPIC));
	event->job_count = jobs >= 0 && jobs <= ROUTE_JOBS_MAX ? (uint32_t)jobs : ROUTE_JOBS_MAX;
	if (event->passed)
		return 0;
	part->record.len = 0;
	if (!stored_event_add(
		&part->record, (struct span){slice->tenant_id, strlen(slice->tenant_id)}, event->id, rows, row)) {
		event->error = "unreadable";
		return 0;
	}
	event->jobs =
	    routes_match(slice->routes, (const struct record *)(void *)part->record.base, &part->text, &part->routed);
	keep_endpoint(part, event);
	return 0;
}

static bool
has_room(const struct part *part)
{
	return part->count < PART_EVENTS && routes_cost(&part->routed) < PUBLISH_GROUP_COST;
}

static int
read_range(struct part *part, const uint8_t after[16], struct error *err)
{
	const struct replay_slice *slice = part->slice;
	struct replay_range range = {
	    slice->tenant_id, slice->request->created, topic_filter_like(&slice->request->topic)};
	struct db_rows *rows;
	uint32_t row = 0;
	int rc = 0;

	if (range.created.to_ms > slice->before_ms)
		range.created.to_ms = slice->before_ms;
	if (part->first)
		rc = replay_events_window(slice->db, &range, after, SLICE_WINDOW, &part->window, err);
	else
		memcpy(part->window.after, after, sizeof part->window.after);
	if (rc == 0)
		rc = replay_events_range(slice->db, &range, &part->window, PART_EVENTS, &rows, err);
	if (rc != 0)
		return rc;
	for (; rc == 0 && row < db_rows_count(rows) && has_room(part); row++)
		rc = add_row(part, rows, row, err);
	part->window_ends = row == db_rows_count(rows) && row < PART_EVENTS;
	part->last = part->window_ends && part->window.ends;
	db_rows_free(rows);
	return rc;
}

static int
read_named(struct part *part, const uint8_t after[16], struct error *err)
{
	const struct replay_request *request = part->slice->request;
	uint32_t next = 0;

	while (next < request->id_count && memcmp(request->ids[next], after, 16) <= 0)
		next++;
	for (; next < request->id_count && has_room(part); next++) {
		struct db_rows *rows;
		int rc = replay_events_named(part->slice->db, part->slice->tenant_id, request->ids[next], &rows, err);

		if (rc != 0)
			return rc;
		if (db_rows_count(rows) > 0) {
			rc = add_row(part, rows, 0, err);
		} else {
			struct part_event *event = &part->events[part->count++];

			*event = (struct part_event){.first = part->routed.count, .error = "gone"};
			memcpy(event->id, request->ids[next], sizeof event->id);
		}
		db_rows_free(rows);
		if (rc != 0)
			return rc;
	}
	part->last = next == request->id_count;
	return 0;
}

/* ---- earlier jobs ---- */

static int
find_earlier(struct part *part, struct error *err)
{
	const struct replay_slice *slice = part->slice;
	uint32_t count = part->routed.count;
	int rc;

	part->jobs = mem_resize(part->jobs, count + 1, sizeof *part->jobs);
	for (uint32_t i = 0; i < part->count; i++)
		for (uint32_t k = 0; k < part->events[i].jobs; k++) {
			uint32_t number = part->events[i].first + k;

			part->jobs[number] =
			    (struct replay_job){.event_id = part->events[i].id, .route = &part->routed.jobs[number]};
		}
	rc = replay_jobs_waiting(slice->db, slice->tenant_id, part->jobs, count, err);
	if (rc == 0 && slice->request->failed_only)
		rc = replay_jobs_failed(slice->db, slice->tenant_id, part->jobs, count, err);
	return rc;
}

/* ---- taking ---- */

static void
add_result(
    const struct replay_slice *slice, const struct part_event *event, const struct replay_job *jobs, uint32_t skipped)
{
	char id[FORMAT_UUID_BYTES + 1] = "";
	cJSON *entry, *ids;
	int shown = 0;

	if (cJSON_GetArraySize(slice->results) >= REPLAY_RESULTS_MAX)
		return;
	entry = tree_new();
	format_uuid(event->id, id);
	tree_add_text(entry, "event_id", (struct span){id, FORMAT_UUID_BYTES});
	if (event->error != NULL) {
		tree_add_text(entry, "error", (struct span){event->error, strlen(event->error)});
	} else {
		ids = cJSON_CreateArray();
		for (uint32_t i = 0; i < event->jobs && shown < IDS_SHOWN; i++) {
			uint8_t job_id[16];

			if (jobs[i].number == 0)
				continue;
			handover_job_id(event->id, jobs[i].number, job_id);
			format_uuid(job_id, id);
			(void)cJSON_AddItemToArray(ids, cJSON_CreateString(id));
			shown++;
		}
		tree_add(entry, "job_ids", ids);
		tree_add_int(entry, "skipped", skipped);
	}
	(void)cJSON_AddItemToArray(slice->results, entry);
}

/* Numbers the event's jobs. Returns how many are made. */
static uint32_t
take(const struct part *part, struct part_event *event, struct replay_progress *progress)
{
	const struct replay_slice *slice = part->slice;
	struct replay_job *jobs = &part->jobs[event->first];
	uint32_t made = 0, skipped = 0;

	for (uint32_t i = 0; i < event->jobs; i++) {
		bool wanted = !slice->request->failed_only || jobs[i].failed;

		if (jobs[i].waits)
			skipped++;
		else if (wanted)
			jobs[i].number = event->job_count + ++made;
	}
	if (event->job_count + made > ROUTE_JOBS_MAX) {
		for (uint32_t i = 0; i < event->jobs; i++)
			jobs[i].number = 0;
		event->error = "too_many_jobs";
		made = 0;
	}
	if (made > 0 || skipped > 0)
		progress->taken++;
	progress->replayed += made > 0;
	progress->scheduled += made;
	progress->skipped += skipped;
	if (made > 0 || skipped > 0 || event->error != NULL || slice->request->ids != NULL)
		add_result(slice, event, jobs, skipped);
	return made;
}

/* Takes the part's events up to the slice's limits. *more: the slice may go on. Returns as db_query(). */
static int
take_part(struct part *part, int64_t until_taken, struct replay_progress *progress, bool *more, struct error *err)
{
	const struct replay_slice *slice = part->slice;
	struct replay_maker maker = {.tenant_id = slice->tenant_id,
	    .node_id = slice->node_id,
	    .now_ms = clock_wall_us() / 1000,
	    .subscription_ids = (const uint8_t(*)[16])part->routed.ids};
	struct replay_count counts[PART_EVENTS];
	uint32_t count = 0, i = 0;
	int rc = 0;

	memcpy(maker.replay_id, slice->replay_id, sizeof maker.replay_id);
	for (; i < part->count && progress->taken < until_taken; i++) {
		struct part_event *event = &part->events[i];
		uint32_t made = event->passed ? 0 : take(part, event, progress);

		if (made > 0)
			counts[count++] = (struct replay_count){event->id, event->job_count + made};
		memcpy(progress->place, event->id, sizeof progress->place);
	}
	if (slice->node_id != 0) {
		rc = replay_jobs_add(slice->db, &maker, part->jobs, part->routed.count, err);
		if (rc == 0)
			rc = replay_events_have(slice->db, slice->tenant_id, counts, count, err);
	}
	progress->finished = progress->taken >= slice->request->limit || (part->last && i == part->count);
	*more = !progress->finished && progress->taken < until_taken;
	if (*more && part->window_ends) {
		memcpy(progress->place, part->window.last, sizeof progress->place);
		*more = false;
	}
	return rc;
}

int
replay_slice_run(const struct replay_slice *slice, struct replay_progress *progress, struct error *err)
{
	struct part part = {.slice = slice, .first = true};
	int64_t left = slice->request->limit - progress->taken;
	int64_t until_taken = progress->taken + (left < slice->most ? left : slice->most);
	uint32_t looked = 0, cost = 0;
	bool more = true;
	int rc = 0;

	assert(slice->most > 0);
	while (rc == 0 && more && looked < SLICE_EVENTS && cost < PUBLISH_GROUP_COST) {
		part.count = 0;
		route_jobs_cut(&part.routed, &(struct route_jobs){0});
		part.routed.filtered = 0;
		rc = (slice->request->ids != NULL ? read_named : read_range)(&part, progress->place, err);
		if (rc == 0)
			rc = find_earlier(&part, err);
		if (rc == 0)
			rc = take_part(&part, until_taken, progress, &more, err);
		part.first = false;
		looked += part.count;
		cost += routes_cost(&part.routed);
	}
	if (progress->matched < progress->taken)
		progress->matched = progress->taken;
	route_jobs_free(&part.routed);
	bytes_free(&part.record);
	bytes_free(&part.text);
	free(part.jobs);
	return rc;
}
