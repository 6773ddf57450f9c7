/*
 * Gives new rows of one kind and one tenant to all streams of the tenant that want them. The feed reads the store once
 * for all streams, and gives each row once:
 *
 *        window                              front
 *   ───────┼─────────────────────────────────┼────────► places
 *          │ seen: the places of the rows    │ rows that have not been given yet
 *
 *   forward   the feed gives the rows behind the front to the streams that are in step, and moves the front
 *   a look    a row has the start of its transaction as its time, so it may appear before the front. Every second the
 *             feed lists the places of the window again, and gives rows that are new there late. The window is as long
 *             as transactions that add rows may last (control/listing.h)
 *   catching  a stream that resumes, or whose client reads slowly, reads from its own place up to the front, and is
 *   up        then in step. A late row also goes to streams that have passed its place
 *
 * One statement asks for all feeds which of them have rows behind the front, or in the window (control/stream_poll.h).
 * A feed without any reads nothing.
 *
 * No row is missed. Rows come twice only if a client resumes within the window, or had no room for a late row. For the
 * streams' thread.
 */
#ifndef CONTROL_STREAM_FEED_H
#define CONTROL_STREAM_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "control/stream.h"
#include "control/stream_place.h"
#include "store/db.h"

/* A question about a place. Texts are borrowed. */
struct stream_asked {
	const char *tenant_id;
	struct stream_place place;
};

/* The source of a feed. The reading functions return as db_query(). */
struct stream_source {
	enum stream_kind kind;
	bool by_id; /* a place's time is in its id; false: it is the second column of a list of places */
	bool of_all_tenants; /* one feed serves all tenants; fits() checks the tenant of a row */
	bool has_ids; /* frames have ids, by which clients resume */
	bool in_order; /* rows appear in the order of their places, which are row numbers: a client resumes exactly */

	int (*now)(struct db *db, int64_t *now_us, struct error *err);

	/* Reads the rows behind that place, in order, at most `limit`. */
	int (*read)(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit,
	    struct db_rows **rows, struct error *err); /* six: which rows, and what comes back */

	/*
	 * Lists ids and times of the rows from from_us up to and including `last`, in order. May leave out all but the
	 * last STREAM_PLACES_MAX, if not each row counts.
	 */
	int (*places)(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
	    struct db_rows **rows, struct error *err); /* six: as above */

	/*
	 * Finds which of these places have a row of their tenant behind them: their numbers, one column. NULL: each
	 * may have, so a feed of this source always reads.
	 */
	int (*find_changed)(struct db *db, const struct stream_asked *asked, uint32_t count, struct db_rows **numbers,
	    struct error *err);

	/* The id of a row of read(); and its time, unless by_id. */
	struct span (*id)(const struct db_rows *rows, uint32_t row);
	int64_t (*us)(const struct db_rows *rows, uint32_t row);

	/*
	 * The id of the batch that the row was committed with, at one time: places() lists batches that have a row up
	 * to `last`, by these ids, so that looks need not list each row. NULL: each row is a batch.
	 */
	struct span (*batch)(const struct db_rows *rows, uint32_t row);

	/* Whether the stream has asked for such a row. */
	bool (*fits)(const struct stream *stream, const struct db_rows *rows, uint32_t row);

	/* Appends the frame of a row. resume: the Last-Event-ID by which a client gets the rows behind it. */
	void (*write)(
	    const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out);
};

#define STREAM_PLACES_MAX 50000

struct stream_feed {
	struct stream_feed *next; /* in the list of control/stream_feeds.h */
	const struct stream_source *source;
	char tenant_id[LIST_ID_BYTES];
	int64_t window_us; /* by the source's clock */
	uint32_t read_rows; /* the most rows that it reads at a time */
	bool begun; /* the members below are set */
	bool used; /* a stream uses it: for control/stream_feeds.c */
	bool has_new_rows, has_window_rows; /* rows are behind the front; behind the start of the last look's window */
	int64_t now_us; /* by the store's clock, just before has_new_rows and has_window_rows were read */
	bool is_behind; /* a stream is not in step */
	size_t held; /* bytes that the tenant's streams hold */
	size_t room; /* bytes of frames that streams may still get in this turn: control/stream_room.h */
	bool lacks_room; /* a stream found no room */
	uint64_t caught_up; /* the number of the stream that last read by itself: the next one begins */
	struct stream_place front;
	struct stream_places seen; /* of batches, in order */
	struct stream_place floor; /* places before it may have been given and forgotten */
	int64_t looked_us; /* the last look, by the source's clock */
	int64_t look_at_us; /* steady: the next one */
	bool is_drained; /* the last turn has given all rows behind the front */
	char resume[LIST_CURSOR_BYTES]; /* by which a client in step resumes; "": not known, or has_ids is false */
	uint64_t given; /* frames given since the caller set it to 0 */
	size_t given_bytes; /* bytes of these frames */
};

/* Writes an event's place for clients, and reads it from "Last-Event-ID". */
void stream_resume_write(const struct stream_feed *feed, const struct stream_place *place, char out[LIST_CURSOR_BYTES]);
bool stream_resume_read(const char *text, struct stream_place *place);

/* Never NULL. The source is borrowed. read_rows: at least 1. */
struct stream_feed *stream_feed_new(
    const struct stream_source *source, const char *tenant_id, int64_t window_us, uint32_t read_rows);
void stream_feed_free(struct stream_feed *feed);

/* Makes the first look, before the first turn: existing rows are not given. Returns as db_query(). */
int stream_feed_begin(struct stream_feed *feed, struct db *db, struct error *err);

/*
 * Reads some new rows, and gives them to the streams in the list that have this feed. *again: there is more to do at
 * once. Returns as db_query(); after a failure the next turn continues.
 */
int stream_feed_turn(struct stream_feed *feed, struct db *db, struct stream *streams, bool *again, struct error *err);

/* Writes the id by which the client of an opened stream resumes if it has all text so far; "": it is not known. */
void stream_feed_resume(const struct stream *stream, char out[LIST_CURSOR_BYTES]);

#endif
