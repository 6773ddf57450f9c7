/* Reads the rows first, then the events of those that are due: in slices, because their sizes are not known before. */
#include "courier/page_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/fifo_heads.h"
#include "store/webhooks/fifo_stops.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/stored_event.h"

#define PLACE_SLICE 1000
#define FIRST_SLICE 8
#define LARGEST_SLICE 512
#define FAR_MS (100 * 365 * INT64_C(86400000))

/* An id that was edited into something else becomes zeros: such a row has no event. */
static void
read_id(const struct db_rows *rows, uint32_t row, uint32_t column, uint8_t id[16])
{
	struct span text = db_rows_text(rows, row, column);

	if (text.base == NULL || !uuid_parse(text.base, text.len, id))
		memset(id, 0, 16);
}

static uint32_t
read_count(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	int64_t count = db_rows_int(rows, row, column);

	return count > 0 && count <= JOB_ATTEMPTS_MAX ? (uint32_t)count : 0;
}

/* An edited time may be too far away for microseconds. */
static int64_t
read_distance_us(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	int64_t ms = db_rows_int(rows, row, column);

	if (ms > FAR_MS)
		return FAR_MS * 1000;
	return (ms < -FAR_MS ? -FAR_MS : ms) * 1000;
}

/* Whether a parcel may still bring the job: only publishers' new jobs come by parcels. */
static bool
may_await_parcel(const struct page_row *row, bool replayed, int64_t now_us)
{
	return row->attempt_count == 0 && !replayed && row->due_us <= now_us && row->due_us + PARCEL_WAIT_US > now_us;
}

/*
 * Whether the row is taken although a parcel may still bring it. Held jobs come by no parcel. A parcel older than
 * resumed_us was dropped because the endpoint held.
 */
static bool
overtakes(const struct page_row *row, bool held, const struct page_query *query)
{
	return held || row->due_us <= query->resumed_us;
}

static void
read_rows(struct message *page, const struct db_rows *rows, const struct page_query *query, struct page_marks *marks)
{
	int64_t now_us = clock_steady_us();

	page->row_count = db_rows_count(rows);
	page->last = page->row_count < PAGE_ROWS;
	page->rows = mem_new(page->row_count > 0 ? page->row_count : 1, sizeof *page->rows);
	for (uint32_t i = 0; i < page->row_count; i++) {
		struct page_row *row = &page->rows[i];
		bool awaits_parcel, held = db_rows_bool(rows, i, JOB_COLUMN_HELD);

		read_id(rows, i, JOB_COLUMN_ID, row->job_id);
		read_id(rows, i, JOB_COLUMN_EVENT_ID, row->event_id);
		read_id(rows, i, JOB_COLUMN_TRANSFORM_ID, row->transform_id);
		row->attempt_count = read_count(rows, i, JOB_COLUMN_ATTEMPT_COUNT);
		row->attempt_base = read_count(rows, i, JOB_COLUMN_ATTEMPT_BASE);
		row->due_us = now_us + read_distance_us(rows, i, JOB_COLUMN_DUE_IN_MS);
		row->expires_us = db_rows_null(rows, i, JOB_COLUMN_EXPIRES_IN_MS)
				      ? INT64_MIN
				      : now_us + read_distance_us(rows, i, JOB_COLUMN_EXPIRES_IN_MS);
		awaits_parcel =
		    !page->fifo && may_await_parcel(row, db_rows_bool(rows, i, JOB_COLUMN_REPLAYED), now_us);
		row->overtakes_parcel = awaits_parcel && overtakes(row, held, query);
		row->awaits_parcel = awaits_parcel && !row->overtakes_parcel;
		row->fifo_seq = page->fifo ? db_rows_int(rows, i, JOB_COLUMN_FIFO_SEQ) : 0;
		*(held ? &marks->any_held : &marks->any_pending) = true;
	}
}

/* ---- events ---- */

struct event_reader {
	struct db *db;
	const struct page_spec *spec;
	struct message *page;
	struct bytes memory;
	size_t *places; /* of each row's record, by the row's number; SIZE_MAX: none */
	uint32_t next, events;
};

/* The next rows that need an event, at most `most`. With fifo all do: the event has the ordering key. */
static uint32_t
gather(struct event_reader *reader, uint32_t most, uint32_t numbers[LARGEST_SLICE])
{
	int64_t ahead_us = clock_steady_us() + PAGE_AHEAD_US;
	uint32_t count = 0;

	for (; reader->next < reader->page->row_count && count < most; reader->next++) {
		const struct page_row *row = &reader->page->rows[reader->next];

		if (reader->page->fifo || (!row->awaits_parcel && row->due_us <= ahead_us))
			numbers[count++] = reader->next;
	}
	return count;
}

/* Rows usually come in the order asked for, so the search begins at *from, behind the last find. */
static uint32_t
find_row(const struct db_rows *rows, const uint8_t job_id[16], uint32_t *from)
{
	uint32_t count = db_rows_count(rows);
	uint8_t id[16];

	for (uint32_t n = 0; n < count; n++) {
		uint32_t row = (*from + n) % count;

		read_id(rows, row, JOB_EVENT_COLUMN_JOB_ID, id);
		if (memcmp(id, job_id, sizeof id) == 0) {
			*from = row + 1;
			return row;
		}
	}
	return UINT32_MAX;
}

/* Adds a slice's events. Returns whether there is room for more. */
static bool
add_events(struct event_reader *reader, const struct db_rows *rows, const uint32_t *numbers, uint32_t count)
{
	const struct span tenant_id = {reader->spec->tenant_id, strlen(reader->spec->tenant_id)};
	uint32_t from = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct page_row *row = &reader->page->rows[numbers[i]];
		uint32_t found = find_row(rows, row->job_id, &from);
		size_t place = reader->memory.len;

		if (found == UINT32_MAX || !stored_event_add(&reader->memory, tenant_id, row->event_id, rows, found)) {
			row->event_gone = true;
			continue;
		}
		if (reader->events > 0 && reader->memory.len > reader->spec->query->event_bytes) {
			reader->memory.len = place;
			return false;
		}
		reader->places[numbers[i]] = place;
		reader->events++;
	}
	return reader->memory.len < reader->spec->query->event_bytes;
}

/* How many events to ask for: as many as fit if they are as large as those before. */
static uint32_t
slice_size(const struct event_reader *reader)
{
	uint64_t left, average;

	if (reader->events == 0)
		return FIRST_SLICE;
	left = reader->spec->query->event_bytes - reader->memory.len;
	average = reader->memory.len / reader->events;
	return left / average < LARGEST_SLICE ? (uint32_t)(left / average) + 1 : LARGEST_SLICE;
}

static int
read_slice(struct event_reader *reader, const uint32_t *numbers, uint32_t count, bool *room, struct error *err)
{
	struct job_name names[LARGEST_SLICE];
	struct db_rows *rows;

	for (uint32_t i = 0; i < count; i++) {
		names[i].job_id = reader->page->rows[numbers[i]].job_id;
		names[i].event_id = reader->page->rows[numbers[i]].event_id;
	}
	int rc = job_rows_events(reader->db, reader->spec->tenant_id, names, count, &rows, err);
	if (rc != 0)
		return rc;
	*room = add_events(reader, rows, numbers, count);
	db_rows_free(rows);
	return 0;
}

/* Sets the rows' pointers: the memory does not move from now on. */
static void
put_events(struct event_reader *reader)
{
	reader->page->memory = reader->memory.base;
	for (uint32_t i = 0; i < reader->page->row_count; i++)
		if (reader->places[i] != SIZE_MAX)
			reader->page->rows[i].event = (const void *)(reader->memory.base + reader->places[i]);
}

static int
read_events(struct event_reader *reader, struct error *err)
{
	uint32_t numbers[LARGEST_SLICE], count;
	bool room = true;
	int rc = 0;

	reader->places = mem_new(reader->page->row_count + 1, sizeof *reader->places);
	memset(reader->places, 0xff, reader->page->row_count * sizeof *reader->places);
	while (rc == 0 && room && (count = gather(reader, slice_size(reader), numbers)) > 0)
		rc = read_slice(reader, numbers, count, &room, err);
	put_events(reader);
	free(reader->places);
	return rc;
}

/* ---- the page ---- */

static struct job_range
range_of(const struct page_spec *spec, uint32_t limit)
{
	return (struct job_range){.tenant_id = spec->tenant_id,
	    .endpoint_id = spec->endpoint_id,
	    .node_id = spec->node_id,
	    .after = spec->query->after,
	    .limit = limit};
}

/* Gives places to the rows. If another node is the sender, it finds them by its own looks. */
static int
place(struct db *db, const struct job_range *range, const uint8_t last[16], struct error *err)
{
	struct fifo_claim claim = {
	    .tenant_id = {range->tenant_id, strlen(range->tenant_id)}, .endpoint_id = range->endpoint_id};
	int64_t version;
	int rc = routing_raise_for_couriers(db, range->tenant_id, err);

	if (rc == 0)
		rc = fifo_heads_claim(db, range->node_id, &claim, 1, err);
	if (rc == 0)
		rc = job_rows_place(db, range, last, claim.node_id, err);
	return rc == 0 ? changes_raise(db, &version, err) : rc;
}

int
page_place(struct db *db, const struct page_spec *spec, uint8_t placed[16], bool *more, struct error *err)
{
	struct job_range range = range_of(spec, PLACE_SLICE);
	struct db_rows *rows = NULL;
	uint8_t last[16] = {0};
	uint32_t count = 0;
	int rc = 0;

	*more = false;
	if (!spec->query->places)
		return 0;
	range.after = placed;
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = job_rows_unplaced(db, &range, &rows, err);
	if (rc == 0)
		count = db_rows_count(rows);
	if (count > 0) {
		read_id(rows, count - 1, 0, last);
		rc = place(db, &range, last, err);
	}
	db_rows_free(rows);
	rc = db_end(db, rc, err);
	*more = rc == 0 && count == PLACE_SLICE;
	if (*more)
		memcpy(placed, last, sizeof last);
	return rc;
}

/* Reads the stopped orders, before the rows: if a dead letter has just been requeued, its job is among the rows. */
static int
read_stopped(struct db *db, const struct page_spec *spec, struct message *page, struct error *err)
{
	struct bytes keys = {0};
	struct db_rows *rows;
	int rc;

	if (!spec->query->blocks)
		return 0;
	rc = fifo_stops_read(db, spec->tenant_id, spec->endpoint_id, PAGE_STOPPED, &rows, err);
	if (rc != 0)
		return rc;
	page->stopped_count = db_rows_count(rows);
	for (uint32_t row = 0; row < page->stopped_count; row++) {
		struct span key = db_rows_text(rows, row, 0);

		bytes_add(&keys, key.base, key.len);
		bytes_add(&keys, "", 1);
	}
	db_rows_free(rows);
	page->stopped = keys.base;
	return 0;
}

static int
read_rows_of(struct db *db, const struct page_spec *spec, struct db_rows **rows, struct error *err)
{
	const struct job_range range = range_of(spec, PAGE_ROWS);

	if (spec->query->fifo)
		return job_rows_fifo_page(db, &range, spec->query->after_seq, rows, err);
	return job_rows_page(db, &range, rows, err);
}

static int
read_page(
    struct db *db, const struct page_spec *spec, struct message *page, struct page_marks *marks, struct error *err)
{
	struct event_reader reader = {.db = db, .spec = spec, .page = page};
	struct fifo_head head = {false, 0};
	struct db_rows *rows;
	int rc = jobs_begin(db, err);

	if (rc == 0 && spec->query->fifo)
		rc = fifo_heads_find(db, spec->tenant_id, spec->endpoint_id, spec->node_id, &head, err);
	page->other_sender = head.other_sender;
	/* Places have gone back: somebody has edited the count, or the place of a job. */
	page->places_lowered = spec->query->new_only && spec->query->after_seq > head.last_seq;
	page->last = true;
	if (rc != 0 || page->other_sender || page->places_lowered)
		return db_end(db, rc, err);
	rc = read_stopped(db, spec, page, err);
	if (rc == 0)
		rc = read_rows_of(db, spec, &rows, err);
	if (rc == 0) {
		read_rows(page, rows, spec->query, marks);
		db_rows_free(rows);
		rc = read_events(&reader, err);
	}
	return db_end(db, rc, err);
}

int
page_read(
    struct db *db, const struct page_spec *spec, struct message **page, struct page_marks *marks, struct error *err)
{
	*page = message_new(MESSAGE_PAGE, spec->tenant_id, spec->endpoint_id);
	(*page)->fifo = spec->query->fifo;
	(*page)->placed = spec->query->places;
	*marks = (struct page_marks){false, false};
	int rc = read_page(db, spec, *page, marks, err);
	if (rc != 0)
		message_free(*page);
	return rc;
}
