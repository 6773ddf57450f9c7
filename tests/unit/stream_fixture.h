/*
 * A feed of streams under test, and its clients: over rows and a clock of the program's own. Nothing happens by itself:
 * the test moves the clock, takes turns and takes text.
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
#define FRAME_BYTES 1000 /* a slow client has no room for a hundred */

struct row {
	int64_t us; /* the start of its transaction */
	int64_t there_us; /* the end */
	uint32_t number;
	char id[OBJECT_ID_BYTES];
	char batch[OBJECT_ID_BYTES]; /* "": none */
};

struct client {
	struct stream *stream;
	uint32_t got[MANY]; /* by the number of the row */
	char resume[LIST_CURSOR_BYTES]; /* of the last frame */
};

struct stream_scene {
	struct row rows[MANY]; /* in the order of places */
	uint32_t count;
	int64_t now_us; /* by the store's clock */
	int failing; /* so many statements fail */
	uint32_t reads; /* of rows or of places */
	size_t frame_bytes;
	struct stream_feed *feed;
	struct stream *first; /* of the streams */
};

extern struct stream_scene scene;
extern struct client clients[LISTENERS];
extern const struct stream_source source, source_of_batches;

/* Rows of transactions that last up to the window, in any order of ids; and a feed without clients. */
void make_rows(uint32_t seed);

/* The same of rows that are committed in batches, each with a time of its own, or some with the same. */
void make_batches(uint32_t seed);
void make_batches_at_once(uint32_t seed);

void let_go(void);

/* A client, in step or behind the place that a frame has told. */
struct client *connect_client(uint32_t number, const char *resume);

/* Takes the client's text, which is whole frames. */
void take(struct client *client);

/* As control/streams.c. Returns whether there is more to be done at once. */
bool turn(bool looks);

#endif
