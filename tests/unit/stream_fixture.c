/* Rows, a clock and clients for a feed; see the header. */
#include "tests/unit/stream_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/stream_poll.h"
#include "control/stream_room.h"
#include "store/db_rows.h"

struct stream_scene scene = {.frame_bytes = FRAME_BYTES};

static uint32_t
number_of(const char *id)
{
	return (uint32_t)strtoul(id + strlen("0190a5b0-0000-7000-8000-00000000"), NULL, 10);
}

static int
by_place(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	if (one->us != other->us)
		return one->us < other->us ? -1 : 1;
	return one->number < other->number ? -1 : 1;
}

/* ---- the store ---- */

static int
compare(const struct row *row, const struct stream_place *place)
{
	if (row->us != place->us)
		return row->us < place->us ? -1 : 1;
	return strcmp(row->id, place->id);
}

static void
add_row(struct db_rows *rows, const char *id, const struct row *row)
{
	char us[24];

	db_rows_add(rows, id, strlen(id));
	db_rows_add(rows, us, (size_t)snprintf(us, sizeof us, "%lld", (long long)row->us));
	db_rows_add(rows, row->batch, strlen(row->batch));
}

static bool
fails(struct error *err)
{
	if (scene.failing == 0)
		return false;
	scene.failing--;
	(void)error_set(err, "the store is away");
	return true;
}

static int
read_rows(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit, struct db_rows **rows,
    struct error *err)
{
	uint32_t found = 0;

	scene.reads++;
	if (fails(err))
		return -1;
	*rows = db_rows_new(3);
	for (uint32_t n = 0; n < scene.count && found < limit; n++)
		if (scene.rows[n].there_us <= scene.now_us && compare(&scene.rows[n], after) > 0) {
			add_row(*rows, scene.rows[n].id, &scene.rows[n]);
			found++;
		}
	return 0;
}

static int
list_places(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	scene.reads++;
	if (fails(err))
		return -1;
	*rows = db_rows_new(3);
	for (uint32_t n = 0; n < scene.count; n++)
		if (scene.rows[n].there_us <= scene.now_us && scene.rows[n].us >= from_us &&
		    compare(&scene.rows[n], last) <= 0)
			add_row(*rows, scene.rows[n].id, &scene.rows[n]);
	return 0;
}

static int
by_batch(const void *a, const void *b)
{
	const struct row *const *one = a, *const *other = b;

	if ((*one)->us != (*other)->us)
		return (*one)->us < (*other)->us ? -1 : 1;
	return strcmp((*one)->batch, (*other)->batch);
}

static int
list_batches(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	const struct row *found[MANY];
	uint32_t count = 0;

	scene.reads++;
	if (fails(err))
		return -1;
	for (uint32_t n = 0; n < scene.count; n++)
		if (scene.rows[n].there_us <= scene.now_us && scene.rows[n].us >= from_us &&
		    compare(&scene.rows[n], last) <= 0)
			found[count++] = &scene.rows[n];
	qsort(found, count, sizeof *found, by_batch);
	*rows = db_rows_new(3);
	for (uint32_t n = 0; n < count; n++)
		if (n == 0 || by_batch(&found[n - 1], &found[n]) != 0)
			add_row(*rows, found[n]->batch, found[n]);
	return 0;
}

static int
find_changed(
    struct db *db, const struct stream_asked *asked, uint32_t asked_count, struct db_rows **numbers, struct error *err)
{
	char number[24];

	if (fails(err))
		return -1;
	*numbers = db_rows_new(1);
	for (uint32_t n = 0; n < asked_count; n++) {
		bool any = false;

		for (uint32_t row = 0; row < scene.count && !any; row++)
			any =
			    scene.rows[row].there_us <= scene.now_us && compare(&scene.rows[row], &asked[n].place) > 0;
		if (any)
			db_rows_add(*numbers, number, (size_t)snprintf(number, sizeof number, "%u", n));
	}
	return 0;
}

static int
now(struct db *db, int64_t *now_us, struct error *err)
{
	*now_us = scene.now_us / 1000 * 1000;
	return 0;
}

static struct span
id(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, 0);
}

static int64_t
us(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, 1);
}

static struct span
batch(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, 2);
}

static bool
fits(const struct stream *stream, const struct db_rows *rows, uint32_t row)
{
	return true;
}

/* The text of a frame is the id, a blank, and the place to resume from, padded to frame_bytes. */
static void
write_row(const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out)
{
	char *frame = bytes_reserve(out, scene.frame_bytes);

	memset(frame, 0, scene.frame_bytes);
	(void)snprintf(frame, scene.frame_bytes, "%s %s", db_rows_text(rows, row, 0).base, resume);
	out->len += scene.frame_bytes;
}

#define SOURCE                                                                                                         \
	.kind = STREAM_EVENTS, .has_ids = true, .now = now, .read = read_rows, .find_changed = find_changed, .id = id, \
	.us = us, .fits = fits, .write = write_row

const struct stream_source source = {SOURCE, .places = list_places};
const struct stream_source source_of_batches = {SOURCE, .places = list_batches, .batch = batch};

/* ---- clients ---- */

struct client clients[LISTENERS];

static void
ring(void *context)
{
}

struct client *
connect_client(uint32_t number, const char *resume)
{
	struct client *client = &clients[number];

	*client = (struct client){.stream = stream_new("acme")};
	client->stream->number = number + 1;
	client->stream->opened = true;
	client->stream->ring = ring;
	client->stream->readings[STREAM_EVENTS] =
	    (struct stream_reading){.wanted = true, .feed = scene.feed, .in_step = resume == NULL};
	if (resume != NULL)
		assert_true(stream_resume_read(resume, &client->stream->readings[STREAM_EVENTS].place));
	client->stream->next = scene.first;
	scene.first = client->stream;
	return client;
}

void
take(struct client *client)
{
	struct bytes text = {0};

	(void)stream_take(client->stream, 0, &text);
	assert_int_equal(text.len % scene.frame_bytes, 0);
	for (size_t at = 0; at < text.len; at += scene.frame_bytes) {
		client->got[number_of(text.base + at)]++;
		(void)strcpy(client->resume, strchr(text.base + at, ' ') + 1);
	}
	bytes_free(&text);
}

bool
turn(bool looks)
{
	struct error err;
	bool again = false;

	stream_room_give(scene.feed, stream_room_count(scene.feed, scene.first));
	scene.feed->look_at_us = looks ? 0 : INT64_MAX;
	if (stream_poll(scene.feed, scene.feed->source, false, NULL, &err) != 0)
		return true;
	if (stream_feed_turn(scene.feed, NULL, scene.first, &again, &err) != 0)
		return true;
	return again;
}

typedef int64_t time_of_batch(uint32_t batch);

static int64_t
own_time(uint32_t batch)
{
	return NOW_US + 1000 + batch * INT64_C(120000) + rand() % 100000;
}

static int64_t
any_time(uint32_t batch)
{
	return NOW_US + 1000 + rand() % 60 * INT64_C(300000);
}

/* Consecutive ids belong to different batches. */
static void
batch_rows(time_of_batch *time_of)
{
	struct row batches[MANY / BATCH];

	for (uint32_t n = 0; n < MANY / BATCH; n++) {
		batches[n].us = time_of(n);
		batches[n].there_us = batches[n].us + (rand() % 3 == 0 ? rand() % WINDOW_US : rand() % 20000);
		(void)snprintf(
		    batches[n].batch, OBJECT_ID_BYTES, "0190a5b0-0000-4000-8000-00000000%04u", n * 7919 % 10000);
	}
	for (uint32_t n = 0; n < scene.count; n++) {
		const struct row *batch = &batches[n * 7 % MANY / BATCH];

		scene.rows[n].us = batch->us;
		scene.rows[n].there_us = batch->there_us;
		(void)strcpy(scene.rows[n].batch, batch->batch);
	}
}

static void
make(uint32_t seed, time_of_batch *time_of)
{
	srand(seed);
	scene.now_us = NOW_US;
	scene.failing = 0;
	for (scene.count = 0; scene.count < MANY; scene.count++)
		scene.rows[scene.count] =
		    (struct row){.us = NOW_US + 1000 + rand() % 20000 * 1000, .number = scene.count};
	for (uint32_t n = 0; n < scene.count; n++) {
		(void)snprintf(scene.rows[n].id, OBJECT_ID_BYTES, "0190a5b0-0000-7000-8000-00000000%04u", n % 10000);
		scene.rows[n].there_us = scene.rows[n].us + (rand() % 3 == 0 ? rand() % WINDOW_US : rand() % 20000);
	}
	if (time_of != NULL)
		batch_rows(time_of);
	qsort(scene.rows, scene.count, sizeof *scene.rows, by_place);
	scene.feed =
	    stream_feed_new(time_of != NULL ? &source_of_batches : &source, "acme", WINDOW_US, STREAM_READ_ROWS);
	scene.first = NULL;
}

void
make_rows(uint32_t seed)
{
	make(seed, NULL);
}

void
make_batches(uint32_t seed)
{
	make(seed, own_time);
}

void
make_batches_at_once(uint32_t seed)
{
	make(seed, any_time);
}

void
let_go(void)
{
	for (struct stream *next; scene.first != NULL; scene.first = next) {
		next = scene.first->next;
		stream_free(scene.first);
	}
	stream_feed_free(scene.feed);
}
