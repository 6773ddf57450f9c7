/*
 * Runs a feed of streams, and its clients, over rows and a clock of the program's own. Nothing happens by itself: the
 * test moves the clock, takes turns and takes text.
 */
#ifndef TESTS_STREAM_FIXTURE_H
#define TESTS_STREAM_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/stream_feed.h"
#include "control/stream_sources.h"

#define WINDOW_US (2 * 1000 * 1000)
#define MANY 1500
#define BATCH 10
#define NOW_US INT64_C(1700000000000000)
#define LISTENERS 128
#define FRAME_BYTES 1000 /* a slow client has no room for a hundred frames */

struct row {
	int64_t us; /* the start of its transaction */
	int64_t there_us; /* the end of its transaction: readers see the row from then on */
	uint32_t number;
	char id[OBJECT_ID_BYTES];
	char batch[OBJECT_ID_BYTES]; /* "": it is in no batch */
};

struct client {
	struct stream *stream;
	uint32_t got[MANY]; /* how often, by the row's number */
	char resume[LIST_CURSOR_BYTES]; /* the place that the last frame names */
};

struct stream_scene {
	struct row rows[MANY]; /* in the order of places */
	uint32_t count;
	int64_t now_us; /* by the store's clock */
	int failing; /* so many of the next statements fail */
	uint32_t reads; /* statements that have read rows or places */
	size_t frame_bytes;
	struct stream_feed *feed;
	struct stream *first; /* the list of the streams */
};

extern struct stream_scene scene;
extern struct client clients[LISTENERS];
extern const struct stream_source source, source_of_batches;

/* Makes rows of transactions that last up to WINDOW_US, with ids in any order, and a feed without clients. */
void make_rows(uint32_t seed);

/*
 * Does the same with rows that are committed in batches. make_batches() gives each batch its own time,
 * make_batches_at_once() gives some batches the same time.
 */
void make_batches(uint32_t seed);
void make_batches_at_once(uint32_t seed);

void let_go(void);

/* Connects a client. resume: the place that a frame has named, from which it goes on; NULL: it gets new rows only. */
struct client *connect_client(uint32_t number, const char *resume);

/* Takes the client's text, and checks that it consists of whole frames. */
void take(struct client *client);

/* Takes a turn as control/streams.c does. Returns whether more can be done at once. */
bool turn(bool looks);

#endif
