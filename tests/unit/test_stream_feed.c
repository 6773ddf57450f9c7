/*
 * Feeds of streams while transactions commit late, clients read slowly, leave and come back: over rows and a clock of
 * this program's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/stream_feed.h"
#include "store/db_rows.h"

#define WINDOW_US (2 * 1000 * 1000)
#define MANY 1500
#define NOW_US INT64_C(1700000000000000)
#define LISTENERS 4
#define FRAME_BYTES 1000 /* a slow client has no room for a hundred */

struct row {
	int64_t us; /* the start of its transaction */
	int64_t there_us; /* the end */
	uint32_t number;
	char id[OBJECT_ID_BYTES];
};

static struct row all[MANY]; /* in the order of places */
static uint32_t count;
static int64_t now_us;
static int failing; /* so many reads fail */

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
add_row(struct db_rows *rows, const struct row *row)
{
	char us[24];

	db_rows_add(rows, row->id, strlen(row->id));
	db_rows_add(rows, us, (size_t)snprintf(us, sizeof us, "%lld", (long long)row->us));
}

static bool
fails(struct error *err)
{
	if (failing == 0)
		return false;
	failing--;
	(void)error_set(err, "the store is away");
	return true;
}

static int
read_rows(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit, struct db_rows **rows,
    struct error *err)
{
	uint32_t found = 0;

	if (fails(err))
		return -1;
	*rows = db_rows_new(2);
	for (uint32_t n = 0; n < count && found < limit; n++)
		if (all[n].there_us <= now_us && compare(&all[n], after) > 0) {
			add_row(*rows, &all[n]);
			found++;
		}
	return 0;
}

static int
list_places(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	if (fails(err))
		return -1;
	*rows = db_rows_new(2);
	for (uint32_t n = 0; n < count; n++)
		if (all[n].there_us <= now_us && all[n].us >= from_us && compare(&all[n], last) <= 0)
			add_row(*rows, &all[n]);
	return 0;
}

static int
now(struct db *db, int64_t *now_ms, struct error *err)
{
	*now_ms = now_us / 1000;
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
topic(const struct db_rows *rows, uint32_t row)
{
	return (struct span){"order.created", strlen("order.created")};
}

/* The id, a blank, and where to resume, in as many bytes as a frame has. */
static void
write_row(const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out)
{
	char *frame = bytes_reserve(out, FRAME_BYTES);

	memset(frame, 0, FRAME_BYTES);
	(void)snprintf(frame, FRAME_BYTES, "%s %s", db_rows_text(rows, row, 0).base, resume);
	out->len += FRAME_BYTES;
}

static const struct stream_source source = {
    .kind = STREAM_EVENTS,
    .now = now,
    .read = read_rows,
    .places = list_places,
    .id = id,
    .us = us,
    .topic = topic,
    .write = write_row,
};

/* ---- clients ---- */

static struct client {
	struct stream *stream;
	uint32_t got[MANY];
	char resume[LIST_CURSOR_BYTES]; /* of the last frame */
} clients[LISTENERS];

static struct stream_feed *feed;
static struct stream *first; /* of the streams */

static void
ring(void *context)
{
}

static struct client *
connect_client(uint32_t number, const char *resume)
{
	struct client *client = &clients[number];

	*client = (struct client){.stream = stream_new("acme")};
	client->stream->opened = true;
	client->stream->ring = ring;
	client->stream->readings[STREAM_EVENTS] =
	    (struct stream_reading){.wanted = true, .feed = feed, .in_step = resume == NULL};
	if (resume != NULL)
		assert_true(stream_resume_read(resume, &client->stream->readings[STREAM_EVENTS].place));
	client->stream->next = first;
	first = client->stream;
	return client;
}

static void
take(struct client *client)
{
	struct bytes text = {0};

	(void)stream_take(client->stream, 0, &text);
	assert_int_equal(text.len % FRAME_BYTES, 0);
	for (size_t at = 0; at < text.len; at += FRAME_BYTES) {
		client->got[number_of(text.base + at)]++;
		(void)strcpy(client->resume, strchr(text.base + at, ' ') + 1);
	}
	bytes_free(&text);
}

static bool
turn(bool looks)
{
	struct error err;
	bool again = false;

	feed->look_at_us = looks ? 0 : INT64_MAX;
	if (stream_feed_turn(feed, NULL, first, &again, &err) != 0)
		return true;
	return again;
}

/* Rows of transactions that last up to the window, in any order of ids. */
static void
make_rows(uint32_t seed)
{
	srand(seed);
	now_us = NOW_US;
	failing = 0;
	for (count = 0; count < MANY; count++)
		all[count] = (struct row){.us = NOW_US + 1000 + rand() % 20000 * 1000, .number = count};
	for (uint32_t n = 0; n < count; n++) {
		(void)snprintf(all[n].id, OBJECT_ID_BYTES, "0190a5b0-0000-7000-8000-00000000%04u", n % 10000);
		all[n].there_us = all[n].us + (rand() % 3 == 0 ? rand() % WINDOW_US : rand() % 20000);
	}
	qsort(all, count, sizeof *all, by_place);
	feed = stream_feed_new(&source, "acme", WINDOW_US);
	first = NULL;
}

static void
let_go(void)
{
	for (struct stream *next; first != NULL; first = next) {
		next = first->next;
		stream_free(first);
	}
	stream_feed_free(feed);
}

/* ---- tests ---- */

static void
follow(uint32_t seed, bool fails_at_times)
{
	static uint32_t before[MANY];
	struct client *quick, *slow, *back = NULL;
	struct error err;

	make_rows(seed);
	now_us += 2 * WINDOW_US;
	assert_int_equal(stream_feed_begin(feed, NULL, &err), 0);
	for (uint32_t n = 0; n < count; n++)
		before[all[n].number] = all[n].there_us <= now_us;
	quick = connect_client(0, NULL);
	slow = connect_client(1, NULL);
	for (int step = 0; step < 400 || turn(true) || now_us < NOW_US + 30 * INT64_C(1000000); step++) {
		now_us += rand() % 100000;
		if (fails_at_times && rand() % 20 == 0)
			failing = rand() % 3;
		(void)turn(rand() % 5 == 0);
		take(quick);
		if (step % 40 == 0 || step >= 400)
			take(slow);
		if (step == 150) { /* a client comes back to another process, which has another feed */
			back = connect_client(2, quick->resume);
			for (uint32_t n = 0; n < count; n++)
				back->got[n] = quick->got[n];
		}
		if (back != NULL)
			take(back);
	}
	take(slow);
	for (uint32_t n = 0; n < count; n++) {
		if (fails_at_times)
			assert_true(quick->got[n] >= !before[n]);
		else
			assert_int_equal(quick->got[n], !before[n]);
		assert_true(slow->got[n] >= !before[n]);
		assert_true(back->got[n] >= !before[n]);
	}
	let_go();
}

static void
test_each_row_comes_once_whenever_its_transaction_commits(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(seed, false);
}

static void
test_no_row_is_passed_over_when_the_store_fails_at_times(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(seed, true);
}

static void
test_a_client_that_resumes_at_another_process_misses_nothing(void **state)
{
	static uint32_t got[MANY];
	char resume[LIST_CURSOR_BYTES];
	struct client *client;
	struct error err;

	for (uint32_t seed = 1; seed <= 8; seed++) {
		memset(got, 0, sizeof got);
		make_rows(seed);
		assert_int_equal(stream_feed_begin(feed, NULL, &err), 0);
		client = connect_client(0, NULL);
		for (int round = 0; round < 8; round++) {
			for (int step = 0; step < 30; step++) {
				now_us += rand() % 100000;
				(void)turn(rand() % 5 == 0);
				take(client);
			}
			for (uint32_t n = 0; n < count; n++)
				got[n] += client->got[n];
			if (client->resume[0] != '\0')
				(void)strcpy(resume, client->resume);
			let_go();
			now_us += rand() % (2 * WINDOW_US);
			feed = stream_feed_new(&source, "acme", WINDOW_US);
			assert_int_equal(stream_feed_begin(feed, NULL, &err), 0);
			client = connect_client(0, resume);
		}
		now_us = INT64_MAX;
		for (int step = 0; step < 200; step++) {
			(void)turn(true);
			take(client);
		}
		for (uint32_t n = 0; n < count; n++)
			assert_true(got[n] + client->got[n] > 0);
		let_go();
	}
}

static void
test_settled_rows_are_not_repeated_to_who_resumes(void **state)
{
	struct client *client;
	struct error err;
	char resume[LIST_CURSOR_BYTES];
	uint32_t all_of_it = 0;

	make_rows(1);
	now_us = NOW_US + 60 * INT64_C(1000000);
	assert_int_equal(stream_feed_begin(feed, NULL, &err), 0);
	stream_resume_write(feed, &(struct stream_place){NOW_US - 1, "0190a5b0-0000-7000-8000-000000000000"}, resume);
	for (int round = 0; round < 200; round++) {
		client = connect_client(0, resume);
		(void)turn(true);
		take(client);
		for (uint32_t n = 0; n < count; n++)
			all_of_it += client->got[n];
		if (client->resume[0] == '\0')
			break;
		(void)strcpy(resume, client->resume);
		first = NULL;
		stream_free(client->stream);
	}
	assert_int_equal(all_of_it, count);
	let_go();
}

static void
test_what_is_no_place_is_refused(void **state)
{
	struct stream_place place;

	assert_false(stream_resume_read("", &place));
	assert_false(stream_resume_read("nonsense", &place));
	assert_false(stream_resume_read("0190a5b0-0000-7000-8000-000000000000", &place));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_row_comes_once_whenever_its_transaction_commits),
	    cmocka_unit_test(test_no_row_is_passed_over_when_the_store_fails_at_times),
	    cmocka_unit_test(test_a_client_that_resumes_at_another_process_misses_nothing),
	    cmocka_unit_test(test_settled_rows_are_not_repeated_to_who_resumes),
	    cmocka_unit_test(test_what_is_no_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
