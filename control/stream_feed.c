/* Moving forward, looks, and catching up. A frame is formatted once, for the first stream that needs it. */
#include "control/stream_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/stream_place.h"

/* Looks come once a second, and take at most this fraction of the time. */
#define LOOK_US (1000 * 1000)
#define LOOK_SHARE 20

/* ---- places ---- */

static struct stream_place
place_of_row(const struct stream_source *source, const struct db_rows *rows, uint32_t row)
{
	struct span id = source->id(rows, row);

	return stream_place_of(source->by_id ? id_time_ms(id.base) * 1000 : source->us(rows, row), id);
}

/* The place by which looks know the row. */
static struct stream_place
place_of_batch(const struct stream_source *source, const struct db_rows *rows, uint32_t row)
{
	if (source->batch == NULL)
		return place_of_row(source, rows, row);
	return stream_place_of(source->us(rows, row), source->batch(rows, row));
}

static struct stream_place
place_of_listed(const struct stream_source *source, const struct db_rows *rows, uint32_t row)
{
	struct span id = db_rows_text(rows, row, 0);

	return stream_place_of(source->by_id ? id_time_ms(id.base) * 1000 : db_rows_int(rows, row, 1), id);
}

/* ---- Last-Event-ID ---- */

static const struct list_cursor resume_form = {.letter = 's', .has_times = true, .goes_back = true};

void
stream_resume_write(const struct stream_feed *feed, const struct stream_place *place, char out[LIST_CURSOR_BYTES])
{
	const int64_t settled_us = feed->looked_us - feed->window_us;
	/* A database of SQLite without rows: the first one has the time 2. */
	const struct stream_place from = place->us > 0 ? *place : stream_place_before(2);
	struct list_page page = {.after_us = from.us};

	/* Rows that this client has not got may still appear from that time on. */
	if (!feed->source->in_order && from.us >= settled_us && settled_us > 0)
		page.young_us = settled_us;
	memcpy(page.after, from.id, sizeof from.id);
	list_cursor_write(resume_form, &page, out);
}

bool
stream_resume_read(const char *text, struct stream_place *place)
{
	struct list_page page = {0};

	if (!list_cursor_read(resume_form, &page, text))
		return false;
	if (page.young_us != 0)
		*place = stream_place_before(page.young_us);
	else
		*place = stream_place_of(page.after_us, (struct span){page.after, strlen(page.after)});
	return true;
}

/* ---- giving ---- */

/* A row, and its frame once a stream needs it. */
struct row {
	const struct db_rows *rows;
	uint32_t number;
	struct stream_place place;
	struct bytes frame;
};

static struct row
row_of(const struct stream_feed *feed, const struct db_rows *rows, uint32_t number)
{
	return (struct row){.rows = rows, .number = number, .place = place_of_row(feed->source, rows, number)};
}

static bool
fits(const struct stream_feed *feed, const struct stream *stream, const struct row *row)
{
	return feed->source->fits(stream, row->rows, row->number);
}

/* false: the stream has no room. */
static bool
add(struct stream_feed *feed, struct stream *stream, struct row *row)
{
	char resume[LIST_CURSOR_BYTES];

	feed->lacks_room = feed->lacks_room || feed->room == 0;
	if (feed->room == 0 || !stream_has_room(stream))
		return false;
	if (row->frame.len == 0) {
		stream_resume_write(feed, &row->place, resume);
		feed->source->write(feed->tenant_id, row->rows, row->number, resume, &row->frame);
	}
	stream_add(stream, &row->frame);
	feed->given++;
	feed->given_bytes += row->frame.len;
	feed->room -= row->frame.len < feed->room ? row->frame.len : feed->room;
	return true;
}

/* Makes a stream without room read on from there later. */
static void
fall_behind(struct stream_reading *reading, const struct stream_place *place)
{
	reading->feed->is_behind = true;
	reading->in_step = false;
	reading->place = *place;
}

static struct stream_reading *
reading_of(const struct stream_feed *feed, struct stream *stream)
{
	struct stream_reading *reading = &stream->readings[feed->source->kind];

	return stream->opened && reading->feed == feed ? reading : NULL;
}

static void
give(struct stream_feed *feed, struct stream *streams, struct row *row)
{
	for (struct stream *stream = streams; stream != NULL; stream = stream->next) {
		struct stream_reading *reading = reading_of(feed, stream);

		if (reading != NULL && reading->in_step && fits(feed, stream, row) && !add(feed, stream, row))
			fall_behind(reading, &feed->front);
	}
	bytes_free(&row->frame);
	feed->front = row->place;
}

static void
give_late(struct stream_feed *feed, struct stream *streams, struct row *row)
{
	const struct stream_place before = stream_place_before(row->place.us);

	for (struct stream *stream = streams; stream != NULL; stream = stream->next) {
		struct stream_reading *reading = reading_of(feed, stream);

		if (reading == NULL || (!reading->in_step && stream_place_compare(&reading->place, &row->place) < 0))
			continue; /* it will reach that place by itself */
		if (fits(feed, stream, row) && !add(feed, stream, row))
			fall_behind(reading, &before);
	}
	bytes_free(&row->frame);
}

/* ---- looks ---- */

/* Gives the rows at those places, and does not read those between. */
static int
give_all_late(struct stream_feed *feed, struct db *db, struct stream *streams, const struct stream_places *late,
    struct error *err)
{
	struct stream_place after = stream_place_before(late->list[0].us);
	uint32_t next = 0, count = feed->read_rows;

	while (count == feed->read_rows && next < late->count) {
		struct db_rows *rows;
		int rc;

		if (after.us < late->list[next].us)
			after = stream_place_before(late->list[next].us);
		rc = feed->source->read(db, feed->tenant_id, &after, feed->read_rows, &rows, err);
		if (rc != 0)
			return rc;
		count = db_rows_count(rows);
		for (uint32_t n = 0; n < count; n++) {
			const struct stream_place batch = place_of_batch(feed->source, rows, n);
			struct row row = row_of(feed, rows, n);

			after = row.place;
			if (stream_place_compare(&row.place, &feed->front) <= 0 && stream_places_have(late, &batch))
				give_late(feed, streams, &row);
		}
		db_rows_free(rows);
		while (next < late->count && late->list[next].us < after.us)
			next++;
	}
	return 0;
}

/* Separates places that were not seen before from the listed ones. */
static void
find_late(
    const struct stream_feed *feed, const struct db_rows *rows, struct stream_places *all, struct stream_places *late)
{
	const uint32_t count = db_rows_count(rows);

	all->list = mem_new((size_t)count + 1, sizeof *all->list);
	late->list = mem_new((size_t)count + 1, sizeof *late->list);
	for (uint32_t row = 0; row < count; row++) {
		struct stream_place place = place_of_listed(feed->source, rows, row);

		all->list[all->count++] = place;
		if (feed->begun && stream_place_compare(&place, &feed->floor) >= 0 &&
		    !stream_places_have(&feed->seen, &place))
			late->list[late->count++] = place;
	}
}

static int
find_new_rows(struct stream_feed *feed, struct db *db, struct stream *streams, struct error *err)
{
	static const struct stream_place end = {TIME_RANGE_LAST_MS * 1000, "ffffffff-ffff-ffff-ffff-ffffffffffff"};
	int64_t began_us = clock_steady_us(), from_us;
	struct stream_places all = {0}, late = {0};
	struct db_rows *rows;
	int rc;

	/* A row that was not there at the last look began at most a window before it. */
	from_us = (feed->begun ? feed->looked_us : feed->now_us) - feed->window_us;
	/* New rows get the numbers of removed rows. */
	if (feed->source->in_order && feed->now_us < feed->looked_us)
		from_us = feed->now_us - feed->window_us;
	rc = feed->source->places(db, feed->tenant_id, from_us, feed->begun ? &feed->front : &end, &rows, err);
	if (rc != 0)
		return rc;
	find_late(feed, rows, &all, &late);
	db_rows_free(rows);
	if (late.count > 0)
		rc = give_all_late(feed, db, streams, &late, err);
	free(late.list);
	if (rc != 0) {
		free(all.list);
		return rc;
	}
	free(feed->seen.list);
	feed->seen = all;
	if (feed->source->by_id && all.count == STREAM_PLACES_MAX)
		feed->floor = all.list[0];
	feed->looked_us = feed->now_us;
	if (!feed->begun)
		feed->front = all.count > 0 ? all.list[all.count - 1] : stream_place_before(from_us);
	if (!feed->begun && feed->source->batch != NULL)
		memcpy(feed->front.id, end.id, sizeof end.id);
	feed->begun = true;
	feed->look_at_us = began_us + (clock_steady_us() - began_us) * LOOK_SHARE;
	if (feed->look_at_us < began_us + LOOK_US)
		feed->look_at_us = began_us + LOOK_US;
	return 0;
}

/* ---- forward ---- */

/*
 * A batch that appears with the time of the front may have rows before it also, so it is not noted: the next look gives
 * all its rows, some of them again.
 */
static void
note_seen(struct stream_feed *feed, const struct db_rows *rows)
{
	struct stream_places *seen = &feed->seen;
	const uint32_t count = db_rows_count(rows);

	if (count == 0)
		return;
	seen->list = mem_resize(seen->list, (size_t)seen->count + count + 1, sizeof *seen->list);
	for (uint32_t row = 0; row < count; row++) {
		const struct stream_place place = place_of_batch(feed->source, rows, row);

		if (feed->source->batch == NULL || place.us != feed->front.us)
			stream_places_add(seen, &place);
	}
}

static int
go_forward(struct stream_feed *feed, struct db *db, struct stream *streams, bool *again, struct error *err)
{
	struct db_rows *rows;
	int rc = feed->source->read(db, feed->tenant_id, &feed->front, feed->read_rows, &rows, err);

	if (rc != 0)
		return rc;
	note_seen(feed, rows);
	for (uint32_t n = 0; n < db_rows_count(rows); n++) {
		struct row row = row_of(feed, rows, n);

		give(feed, streams, &row);
	}
	feed->is_drained = db_rows_count(rows) < feed->read_rows;
	if (!feed->is_drained)
		*again = true;
	db_rows_free(rows);
	return 0;
}

/* ---- catching up ---- */

/* Gives a stream its rows, up to the front. Returns whether it has room for more. */
static bool
take_rows(struct stream_feed *feed, struct stream *stream, struct stream_reading *reading, const struct db_rows *rows)
{
	for (uint32_t n = 0; n < db_rows_count(rows); n++) {
		struct row row = row_of(feed, rows, n);
		bool room;

		if (stream_place_compare(&row.place, &feed->front) > 0) {
			reading->in_step = true;
			return true;
		}
		room = !fits(feed, stream, &row) || add(feed, stream, &row);
		bytes_free(&row.frame);
		if (!room)
			return false;
		reading->place = row.place;
	}
	reading->in_step = db_rows_count(rows) < feed->read_rows;
	return true;
}

static int
catch_up(struct stream_feed *feed, struct db *db, struct stream *stream, bool *again, struct error *err)
{
	struct stream_reading *reading = reading_of(feed, stream);
	struct db_rows *rows;
	int rc;

	if (reading == NULL || reading->in_step || !stream_has_room(stream))
		return 0;
	feed->lacks_room = feed->lacks_room || feed->room == 0;
	if (feed->room == 0)
		return 0;
	/*
	 * Reads rows of all topics: finding those of a rare one could take the store long, and other streams would
	 * wait.
	 */
	rc = feed->source->read(db, feed->tenant_id, &reading->place, feed->read_rows, &rows, err);
	if (rc != 0)
		return rc;
	feed->caught_up = stream->number;
	if (take_rows(feed, stream, reading, rows) && !reading->in_step)
		*again = true;
	db_rows_free(rows);
	return 0;
}

/* Begins behind the stream that was last, in the order of the list: room may not suffice for all of them. */
static int
catch_all_up(struct stream_feed *feed, struct db *db, struct stream *streams, bool *again, struct error *err)
{
	const uint64_t last = feed->caught_up;
	int rc = 0;

	for (int pass = 0; pass < 2; pass++)
		for (struct stream *stream = streams; rc == 0 && stream != NULL; stream = stream->next)
			if ((stream->number < last) == (pass == 0))
				rc = catch_up(feed, db, stream, again, err);
	return rc;
}

/* ---- the places of clients that get nothing ---- */

/*
 * Rows that were not there at the last look are of the window or will be, so a client that has all rows before the
 * window resumes there: the front may be older, and the source may have forgotten it.
 */
static void
set_resume(struct stream_feed *feed)
{
	struct stream_place place = feed->front, before = stream_place_before(feed->looked_us - feed->window_us);

	if (!feed->source->has_ids)
		return;
	if (feed->is_drained && !feed->source->in_order && stream_place_compare(&place, &before) < 0)
		place = before;
	stream_resume_write(feed, &place, feed->resume);
}

void
stream_feed_resume(const struct stream *stream, char out[LIST_CURSOR_BYTES])
{
	out[0] = '\0';
	for (int kind = 0; kind < STREAM_KINDS && out[0] == '\0'; kind++) {
		const struct stream_reading *reading = &stream->readings[kind];

		if (reading->feed == NULL || !reading->feed->source->has_ids)
			continue;
		if (reading->in_step)
			memcpy(out, reading->feed->resume, LIST_CURSOR_BYTES);
		else
			stream_resume_write(reading->feed, &reading->place, out);
	}
}

/* ---- the whole ---- */

struct stream_feed *
stream_feed_new(const struct stream_source *source, const char *tenant_id, int64_t window_us, uint32_t read_rows)
{
	struct stream_feed *feed = mem_new(1, sizeof *feed);

	feed->source = source;
	feed->window_us = window_us;
	feed->read_rows = read_rows;
	(void)snprintf(feed->tenant_id, sizeof feed->tenant_id, "%s", tenant_id);
	return feed;
}

void
stream_feed_free(struct stream_feed *feed)
{
	free(feed->seen.list);
	free(feed);
}

int
stream_feed_begin(struct stream_feed *feed, struct db *db, struct error *err)
{
	int rc = feed->source->now(db, &feed->now_us, err);

	if (rc != 0)
		return rc;
	feed->has_window_rows = true;
	rc = find_new_rows(feed, db, NULL, err);
	if (rc == 0)
		set_resume(feed);
	return rc;
}

/* As after a look at a window without rows. */
static void
rest(struct stream_feed *feed)
{
	feed->seen.count = 0;
	feed->looked_us = feed->now_us;
}

int
stream_feed_turn(struct stream_feed *feed, struct db *db, struct stream *streams, bool *again, struct error *err)
{
	int rc = 0;

	feed->resume[0] = '\0';
	feed->is_drained = !feed->has_new_rows;
	if (!feed->has_window_rows)
		rest(feed);
	else if (clock_steady_us() >= feed->look_at_us)
		rc = find_new_rows(feed, db, streams, err);
	if (rc == 0 && feed->has_new_rows)
		rc = go_forward(feed, db, streams, again, err);
	if (rc == 0)
		set_resume(feed);
	return rc == 0 && feed->is_behind ? catch_all_up(feed, db, streams, again, err) : rc;
}
