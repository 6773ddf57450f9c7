/* A client follows ascending lists while transactions commit late. Rows and clock are the program's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/listing.h"
#include "store/db_rows.h"

#define TIMEOUT_MS 1000
#define MANY 5000
#define NOW_MS INT64_C(1700000000000)

struct row {
	int64_t us; /* the start of its transaction */
	int64_t there_us; /* the end of its transaction: lists see the row from then on */
	uint32_t number; /* of its id */
};

static struct row all[MANY]; /* in the order of the list */
static uint32_t count;
static int64_t now_us;
static uint32_t times_listed[MANY]; /* by the row's number */

static void
id_of(uint32_t number, char out[LIST_ID_BYTES])
{
	(void)snprintf(out, LIST_ID_BYTES, "0190a5b0-0000-7000-8000-00000000%04u", number);
}

static int
by_place(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	if (one->us != other->us)
		return one->us < other->us ? -1 : 1;
	return one->number < other->number ? -1 : 1;
}

static void
add(int64_t us, int64_t lasts_us)
{
	all[count].us = us;
	all[count].there_us = us + lasts_us;
	all[count].number = (count * 3001) % MANY; /* ids are in another order than times */
	count++;
}

static void
begin(void)
{
	count = 0;
	now_us = NOW_MS * 1000;
	memset(times_listed, 0, sizeof times_listed);
}

/* ---- the list ---- */

static bool
is_behind(const struct list_slice *slice, const struct row *row, const char *id)
{
	int order;

	if (slice->after == NULL)
		return true;
	order = row->us != slice->after_us ? (row->us < slice->after_us ? -1 : 1) : strcmp(id, slice->after);
	return slice->descending ? order < 0 : order > 0;
}

static int
read_rows(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	char id[LIST_ID_BYTES], us[24];
	uint32_t found = 0;

	*rows = db_rows_new(2);
	for (uint32_t n = 0; n < count && found < slice->limit; n++) {
		const struct row *row = &all[slice->descending ? count - 1 - n : n];

		if (row->there_us > now_us || (!slice->descending && row->us < slice->after_us))
			continue;
		id_of(row->number, id);
		if (!is_behind(slice, row, id))
			continue;
		db_rows_add(*rows, id, strlen(id));
		db_rows_add(*rows, us, (size_t)snprintf(us, sizeof us, "%lld", (long long)row->us));
		found++;
	}
	return 0;
}

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "id", db_rows_text(rows, row, 0).base);
	return object;
}

static int64_t
time_us(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, 1);
}

static int
now(struct db *db, int64_t *now_ms, struct error *err)
{
	*now_ms = now_us / 1000;
	return 0;
}

static const struct list_kind kind = {.letter = 'f', .read = read_rows, .show = show, .time_us = time_us, .now = now};

/*
 * Reads the page after the cursor ("": the first one), and replaces the cursor by that of the next page ("": the end).
 * Returns how many rows it has.
 */
static uint32_t
read_page(const char *order, uint32_t limit, char cursor[LIST_CURSOR_BYTES])
{
	static const struct config config = {.store_timeout_ms = TIMEOUT_MS};
	const struct control_context context = {.config = &config};
	char query[LIST_CURSOR_BYTES + 100];
	int len = snprintf(query, sizeof query, "order=%s&limit=%u&cursor=%s", order, limit, cursor);
	const struct request request = {.query = {query, (size_t)len}, .context = &context};
	struct reply reply = {0};
	cJSON *tree, *item;
	const char *next;
	uint32_t found;

	qsort(all, count, sizeof *all, by_place);
	list_answer(&request, &kind, NULL, &reply);
	assert_int_equal(reply.status, 200);
	tree = cJSON_ParseWithLength(reply.body.base, reply.body.len);
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(tree, "items"))
	{
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(item, "id"));

		times_listed[atoi(id + strlen(id) - 4)]++;
	}
	found = (uint32_t)cJSON_GetArraySize(cJSON_GetObjectItem(tree, "items"));
	next = cJSON_GetStringValue(cJSON_GetObjectItem(tree, "next_cursor"));
	(void)snprintf(cursor, LIST_CURSOR_BYTES, "%s", next != NULL ? next : "");
	cJSON_Delete(tree);
	bytes_free(&reply.body);
	return found;
}

/* Reads as a client follows a list: it keeps the last cursor that it got. */
static void
follow(uint32_t limit, char cursor[LIST_CURSOR_BYTES])
{
	char next[LIST_CURSOR_BYTES];

	memcpy(next, cursor, sizeof next);
	(void)read_page("asc", limit, next);
	if (next[0] != '\0')
		memcpy(cursor, next, sizeof next);
}

static void
assert_listed(uint32_t least, uint32_t most)
{
	for (uint32_t number = 0; number < count; number++)
		assert_in_range(times_listed[all[number].number], least, most);
}

/* ---- tests ---- */

static void
test_many_rows_of_one_time_are_listed_once_each_in_pages_of_fifty(void **state)
{
	for (const char *const *order = (const char *const[]){"asc", "desc", NULL}; *order != NULL; order++)
		for (int64_t age_us = 0; age_us <= 1000000000; age_us += 1000000000) {
			char cursor[LIST_CURSOR_BYTES] = "";
			uint32_t pages = 0;

			begin();
			while (count < MANY)
				add(now_us - age_us, 0);
			do
				pages++;
			while (read_page(*order, 50, cursor) == 50 && cursor[0] != '\0');
			assert_int_equal(pages, MANY / 50);
			assert_listed(1, 1);
		}
}

/*
 * Every 10 ms there is a row, and every seventh commits as late as a transaction may. Pages of `limit` rows are read
 * every 5 ms.
 */
static void
follow_all(uint32_t limit)
{
	char cursor[LIST_CURSOR_BYTES] = "";
	int64_t begun_us;

	begin();
	begun_us = now_us;
	for (int64_t at_ms = 0; at_ms < 10000 + 8 * TIMEOUT_MS; at_ms += 5) {
		now_us = begun_us + at_ms * 1000;
		if (at_ms % 10 == 0 && at_ms < 10000)
			add(now_us, count % 7 == 0 ? (2 * TIMEOUT_MS - 1) * INT64_C(1000) : 3000);
		follow(limit, cursor);
	}
	assert_int_equal(count, 1000);
	assert_listed(1, UINT32_MAX);
}

static void
test_a_client_that_follows_a_list_gets_rows_that_commit_late(void **state)
{
	follow_all(50);
	follow_all(7);
	follow_all(2);
	follow_all(1);
}

static void
test_a_page_that_has_old_rows_leaves_the_young_ones_to_the_next(void **state)
{
	char cursor[LIST_CURSOR_BYTES] = "";

	begin();
	add(now_us - 3 * TIMEOUT_MS * 1000, 0);
	add(now_us - 500, 0);
	add(now_us - 400, 0);
	add(now_us - 600, 1000);
	assert_int_equal(read_page("asc", 2, cursor), 2);
	now_us += 1000;
	assert_int_equal(read_page("asc", 10, cursor), 3);
	assert_string_equal(cursor, "");
	assert_listed(1, 2);
}

/* Between the two reads a transaction ends that began before the listed ones. */
static void
test_a_list_goes_back_to_rows_that_were_young_when_it_was_read(void **state)
{
	char cursor[LIST_CURSOR_BYTES] = "", last[LIST_CURSOR_BYTES];

	begin();
	add(now_us - 600, 1000);
	for (uint32_t i = 0; i < 5; i++)
		add(now_us - 500 + i, 0);
	assert_int_equal(read_page("asc", 2, cursor), 2);
	memcpy(last, cursor, sizeof last);
	assert_int_equal(read_page("asc", 2, cursor), 2);
	assert_listed(0, 1);
	now_us += TIMEOUT_MS * 500;
	memcpy(cursor, last, sizeof last);
	assert_int_equal(read_page("asc", 10, cursor), 3); /* its transaction has not ended */
	now_us += 1000;
	memcpy(cursor, last, sizeof last);
	assert_int_equal(read_page("asc", 10, cursor), 6);
	assert_listed(1, 3);
}

static void
test_a_cursor_of_young_rows_that_was_cut_off_is_refused(void **state)
{
	struct list_page page = {.after = "0190a5b0-0000-7000-8000-000000000001",
	    .after_us = INT64_C(253402300799999999),
	    .young_us = INT64_C(253402300799999998)};
	const struct list_cursor form = {.letter = 'f', .has_times = true, .goes_back = true};
	struct list_page read = {0};
	char cursor[LIST_CURSOR_BYTES];

	list_cursor_write(form, &page, cursor);
	assert_true(list_cursor_read(form, &read, cursor));
	assert_string_equal(read.after, page.after);
	assert_true(read.after_us == page.after_us && read.young_us == page.young_us);
	read.descending = true;
	assert_false(list_cursor_read(form, &read, cursor));
	read.descending = false;
	for (size_t len = strlen(cursor) - 1; len > 0; len--) {
		cursor[len] = '\0';
		assert_false(list_cursor_read(form, &read, cursor));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_rows_of_one_time_are_listed_once_each_in_pages_of_fifty),
	    cmocka_unit_test(test_a_client_that_follows_a_list_gets_rows_that_commit_late),
	    cmocka_unit_test(test_a_page_that_has_old_rows_leaves_the_young_ones_to_the_next),
	    cmocka_unit_test(test_a_list_goes_back_to_rows_that_were_young_when_it_was_read),
	    cmocka_unit_test(test_a_cursor_of_young_rows_that_was_cut_off_is_refused),
	};

	return cmocka_run_group_tests_name("list_follow", tests, NULL, NULL);
}
