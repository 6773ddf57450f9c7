/* Writes rows as frames of server-sent events. */
#include "control/stream_sources.h"

#include <string.h>

#include "base/mem.h"
#include "control/events.h"
#include "control/hook_event_source.h"
#include "control/stream_frame.h"
#include "control/tree.h"
#include "store/webhooks/attempt_lists.h"
#include "store/webhooks/event_lists.h"
#include "store/webhooks/store_clock.h"
#include "store/webhooks/stream_rows.h"

/*
 * The longest attempt (timeout_ms of endpoints), and some time to store its outcome: its id is made before it
 * begins.
 */
#define ATTEMPT_US (INT64_C(330) * 1000 * 1000)

static int
now(struct db *db, int64_t *now_us, struct error *err)
{
	int64_t now_ms;
	int rc = store_clock_now(db, &now_ms, err);

	if (rc == 0)
		*now_us = now_ms * 1000;
	return rc;
}

/* ---- which tenants have any ---- */

typedef int find_changed_fn(
    struct db *db, const struct stream_rows_place *places, uint32_t count, struct db_rows **numbers, struct error *err);

static int
find_changed(find_changed_fn *find, bool by_id, struct db *db, const struct stream_asked *asked, uint32_t count,
    struct db_rows **numbers, struct error *err) /* seven: which rows, and what comes back */
{
	struct stream_rows_place *places = mem_new(count, sizeof *places);

	for (uint32_t n = 0; n < count; n++) {
		const char *id = asked[n].place.id;
		int64_t us = by_id ? time_range_of_id(id).from_ms * 1000 : asked[n].place.us;

		places[n] = (struct stream_rows_place){asked[n].tenant_id, us, id};
	}
	int rc = find(db, places, count, numbers, err);
	free(places);
	return rc;
}

/* ---- events ---- */

/* An event that is gone: none behind it was stored before it was made. */
int
stream_find_event(struct db *db, const struct config *config, struct stream *stream, struct error *err)
{
	const char *id = stream->after_event;
	int64_t us = id_time_ms(id) * 1000;
	struct db_rows *rows;
	int rc = event_lists_get(db, stream->tenant_id, id, time_range_of_id(id), &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0)
		us = db_rows_int(rows, 0, EVENT_COLUMN_STORED_US);
	db_rows_free(rows);
	/* As long before that time as transactions may last. */
	stream->readings[STREAM_EVENTS].place = stream_place_before(us - stream_window_us(config, STREAM_EVENTS));
	return 0;
}

static int
changed_events(
    struct db *db, const struct stream_asked *asked, uint32_t count, struct db_rows **numbers, struct error *err)
{
	return find_changed(stream_rows_changed_events, false, db, asked, count, numbers, err);
}

static int
read_events(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit,
    struct db_rows **rows, struct error *err)
{
	const struct event_filter filter = {.created = TIME_RANGE_ALL};
	const struct list_slice slice = {after->id, after->us, false, limit};

	return event_lists_list(db, tenant_id, &filter, &slice, rows, err);
}

static int
list_events(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	return stream_rows_events(db, tenant_id, from_us, last->us, last->id, rows, err);
}

static struct span
event_id(const struct db_rows *rows, uint32_t row)
{
	return stored_event_of_row(rows, row, EVENT_COLUMN_EVENT).id;
}

static int64_t
event_us(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, EVENT_COLUMN_STORED_US);
}

static bool
event_fits(const struct stream *stream, const struct db_rows *rows, uint32_t row)
{
	return topic_filter_fits(&stream->topic, stored_event_of_row(rows, row, EVENT_COLUMN_EVENT).topic);
}

static void
write_event(const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out)
{
	struct stored_event event = stored_event_of_row(rows, row, EVENT_COLUMN_EVENT);

	bytes_add_text(out, "id: ");
	bytes_add_text(out, resume);
	bytes_add_text(out, "\n");
	stream_add_data(out, event_show(tenant_id, &event, db_rows_int(rows, row, EVENT_COLUMN_JOBS)));
}

static const struct stream_source events = {
    .kind = STREAM_EVENTS,
    .has_ids = true,
    .now = now,
    .read = read_events,
    .places = list_events,
    .find_changed = changed_events,
    .id = event_id,
    .us = event_us,
    .fits = event_fits,
    .write = write_event,
};

/* ---- attempts ---- */

static int
changed_attempts(
    struct db *db, const struct stream_asked *asked, uint32_t count, struct db_rows **numbers, struct error *err)
{
	return find_changed(stream_rows_changed_attempts, true, db, asked, count, numbers, err);
}

static int
read_attempts(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit,
    struct db_rows **rows, struct error *err)
{
	const struct attempt_filter filter = {.started = {time_range_of_id(after->id).from_ms, TIME_RANGE_ALL.to_ms}};
	const struct list_slice slice = {after->id, 0, false, limit};

	return attempt_lists_list(db, tenant_id, &filter, &slice, rows, err);
}

static int
list_attempts(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	const struct stream_place before = stream_place_before(from_us);

	return stream_rows_attempts(db, tenant_id, before.id, last->id, STREAM_PLACES_MAX, rows, err);
}

static struct span
attempt_id(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, ATTEMPT_COLUMN_ID);
}

static const struct span attempt_topic = {STREAM_DELIVERIES_TOPIC, sizeof STREAM_DELIVERIES_TOPIC - 1};

static bool
attempt_fits(const struct stream *stream, const struct db_rows *rows, uint32_t row)
{
	return topic_filter_fits(&stream->topic, attempt_topic);
}

static const char *
attempt_status(const struct db_rows *rows, uint32_t row)
{
	return strcmp(db_rows_text(rows, row, ATTEMPT_COLUMN_STATUS).base, "success") == 0 ? "success" : "failed";
}

/* Without an id, because a client resumes at an event. */
static void
write_attempt(const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out)
{
	const char *status = attempt_status(rows, row);
	int64_t lasted_ms = db_rows_int(rows, row, ATTEMPT_COLUMN_DURATION_MS);
	cJSON *tree = tree_new();

	tree_add_text(tree, "topic", attempt_topic);
	tree_add_text(tree, "attempt_id", attempt_id(rows, row));
	tree_add_text(tree, "job_id", db_rows_text(rows, row, ATTEMPT_COLUMN_JOB));
	tree_add_text(tree, "event_id", db_rows_text(rows, row, ATTEMPT_COLUMN_EVENT));
	tree_add_text(tree, "endpoint_id", db_rows_text(rows, row, ATTEMPT_COLUMN_ENDPOINT));
	tree_add_int(tree, "attempt_n", db_rows_int(rows, row, ATTEMPT_COLUMN_NUMBER));
	tree_add_text(tree, "status", (struct span){status, strlen(status)});
	tree_add_int_of(tree, "http_status", rows, row, ATTEMPT_COLUMN_HTTP_STATUS);
	tree_add_int(tree, "latency_ms", lasted_ms);
	tree_add_int(tree, "ts", db_rows_int(rows, row, ATTEMPT_COLUMN_STARTED_MS) + lasted_ms);
	bytes_add_text(out, "event: " STREAM_DELIVERIES_TOPIC "\n");
	stream_add_data(out, tree);
}

static const struct stream_source attempts = {
    .kind = STREAM_DELIVERIES,
    .by_id = true,
    .now = now,
    .read = read_attempts,
    .places = list_attempts,
    .find_changed = changed_attempts,
    .id = attempt_id,
    .fits = attempt_fits,
    .write = write_attempt,
};

/* ---- all ---- */

const struct stream_source *
stream_source_of(const struct config *config, enum stream_kind kind)
{
	if (kind == STREAM_HOOK_EVENTS)
		return config->storage == STORAGE_SQLITE ? &stream_hook_rows : &stream_hook_log;
	return kind == STREAM_EVENTS ? &events : &attempts;
}

int64_t
stream_window_us(const struct config *config, enum stream_kind kind)
{
	if (kind == STREAM_HOOK_EVENTS && config->storage == STORAGE_SQLITE)
		return STREAM_HOOK_ROWS_WINDOW;
	return 2 * (int64_t)config->store_timeout_ms * 1000 + (kind == STREAM_DELIVERIES ? ATTEMPT_US : 0);
}

uint32_t
stream_read_rows(const struct config *config, enum stream_kind kind)
{
	const uint64_t most = kind == STREAM_HOOK_EVENTS ? config->max_event_bytes : config->hl_max_payload_bytes;
	const uint64_t rows = STREAM_READ_BYTES / most;

	if (kind == STREAM_DELIVERIES || rows >= STREAM_READ_ROWS)
		return STREAM_READ_ROWS;
	return rows > 0 ? (uint32_t)rows : 1;
}

uint64_t
stream_log_seconds(const struct config *config)
{
	return config->event_stream_seconds + (uint64_t)stream_window_us(config, STREAM_HOOK_EVENTS) / 1000000 + 1;
}
