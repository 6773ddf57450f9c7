/* A range is counted window by window, so that no statement takes long. */
#include "control/replay_matched.h"

#include <string.h>

#include "base/clock.h"
#include "store/webhooks/endpoints.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/replay_events.h"

#define WINDOW_EVENTS 5000
#define COUNTED_MOST 100000
#define COUNTING_US (1000 * INT64_C(1000))

static int
count_named(const struct request *request, const struct replay_request *replay, int64_t *matched, struct error *err)
{
	for (uint32_t i = 0; i < replay->id_count; i++) {
		struct db_rows *rows;
		int rc = replay_events_named(request->db, request->caller.tenant_id, replay->ids[i], &rows, err);

		if (rc != 0)
			return rc;
		*matched += db_rows_count(rows);
		db_rows_free(rows);
	}
	return 0;
}

/* Counts the window behind *window, and advances *window. */
static int
count_next(const struct request *request, const struct replay_range *range, struct replay_window *window,
    struct db_rows **rows, struct error *err)
{
	uint8_t after[16];
	int rc = db_begin_to_read(request->db, err);

	memcpy(after, window->last, sizeof after);
	if (rc == 0)
		rc = jobs_by_indexes(request->db, err);
	if (rc == 0)
		rc = replay_events_window(request->db, range, after, WINDOW_EVENTS, window, err);
	if (rc == 0)
		rc = replay_events_count(request->db, range, window, rows, err);
	db_rollback(request->db);
	return rc;
}

static int
count_range(const struct request *request, const struct replay_request *replay, struct replay_matched *matched,
    struct error *err)
{
	const struct replay_range range = {
	    request->caller.tenant_id, replay->created, topic_filter_like(&replay->topic)};
	int64_t until_us = clock_steady_us() + COUNTING_US;
	struct replay_window window = {0};

	for (int looked = 0; !window.ends && looked < COUNTED_MOST && clock_steady_us() < until_us;
	     looked += WINDOW_EVENTS) {
		struct db_rows *rows;
		int rc = count_next(request, &range, &window, &rows, err);

		if (rc != 0)
			return rc;
		/* LIKE also passes some topics that do not match. */
		for (uint32_t row = 0; row < db_rows_count(rows); row++)
			if (topic_filter_fits(&replay->topic, db_rows_text(rows, row, 0)))
				matched->events += db_rows_int(rows, row, 1);
		db_rows_free(rows);
	}
	matched->exact = window.ends;
	return 0;
}

int
replay_count(const struct request *request, const struct replay_request *replay, struct replay_matched *matched,
    struct error *err)
{
	*matched = (struct replay_matched){.exact = true};
	return replay->ids != NULL ? count_named(request, replay, &matched->events, err)
				   : count_range(request, replay, matched, err);
}

static int
check_endpoint(
    const struct request *request, const struct replay_request *replay, struct reply *reply, struct error *err)
{
	struct span id = {replay->endpoint_text, strlen(replay->endpoint_text)};
	struct db_rows *rows;
	int rc;

	if (id.len == 0)
		return 0;
	rc = endpoints_get(request->db, request->caller.tenant_id, id, false, &rows, err);
	if (rc == 0 && db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "endpoint_id: there is no such endpoint");
	if (rc == 0)
		db_rows_free(rows);
	return rc;
}

int
replay_check(const struct request *request, const struct replay_request *replay, const struct replay_matched *matched,
    struct reply *reply, struct error *err)
{
	int rc = check_endpoint(request, replay, reply, err);

	if (rc == 0 && reply->status == 0 && replay->one && matched->events == 0)
		answer_error(reply, 410, "gone", "event_id: there is no such event, or not any more");
	return rc;
}
