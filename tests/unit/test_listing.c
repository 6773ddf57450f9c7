/* Lists of the management API: cursors, orders, and where a page ends. The rows are in a store in memory. */
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

/* The objects of the store: their ids are n0001, n0002, ... or UUIDs that end so. */
struct many {
	uint32_t count;
	size_t bytes; /* of each object, about */
	int reads_left; /* after so many reads the store fails */
};

static uint32_t largest_read; /* the most rows of one read */

static bool of_names;

static void
id_of(uint32_t number, char out[LIST_ID_BYTES])
{
	(void)snprintf(out, LIST_ID_BYTES, of_names ? "n%04u" : "0190a5b0-0000-7000-8000-00000000%04u", number);
}

static int
read_many(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	struct many *many = *(struct many *const *)filter;
	char id[LIST_ID_BYTES];

	if (many->reads_left-- == 0)
		return error_set(err, "gone");
	*rows = db_rows_new(1);
	largest_read = slice->limit > largest_read ? slice->limit : largest_read;
	for (uint32_t i = 0, found = 0; i < many->count && found < slice->limit; i++) {
		id_of(slice->descending ? many->count - i : i + 1, id);
		if (slice->after != NULL &&
		    (slice->descending ? strcmp(id, slice->after) >= 0 : strcmp(id, slice->after) <= 0))
			continue;
		db_rows_add(*rows, id, strlen(id));
		found++;
	}
	return 0;
}

static size_t object_bytes;

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	cJSON *object = cJSON_CreateObject();
	char *text = malloc(object_bytes + 1);

	assert_non_null(text);
	memset(text, 'x', object_bytes);
	text[object_bytes] = '\0';
	cJSON_AddStringToObject(object, "id", db_rows_text(rows, row, 0).base);
	cJSON_AddStringToObject(object, "text", text);
	free(text);
	return object;
}

static const struct list_kind uuids = {.letter = 'u', .read = read_many, .show = show};
static const struct list_kind names = {
    .letter = 'n', .descending = true, .of_names = true, .read = read_many, .show = show};

/* Returns the reply to that query. Its text stays valid until the next call. */
static const char *
listed(const struct list_kind *kind, struct many many, const char *query, int status)
{
	static struct reply reply;
	const struct config config = {.hl_max_payload_bytes = 64 << 20};
	struct control_context context = {.config = &config};
	const struct request request = {.query = {query, strlen(query)}, .context = &context};
	const struct many *filter = &many;

	bytes_free(&reply.body);
	reply = (struct reply){0};
	of_names = kind->of_names;
	object_bytes = many.bytes;
	if (many.reads_left == 0)
		many.reads_left = -1;
	list_answer(&request, kind, &filter, &reply);
	assert_int_equal(status, reply.status);
	bytes_add(&reply.body, "", 1);
	return reply.body.base;
}

/* Reads all pages. ids: the numbers of the ids in the order in which they came. Returns how many pages there were. */
static unsigned
walk(const struct list_kind *kind, struct many many, const char *query, uint32_t *ids, uint32_t *found)
{
	char full[300];
	unsigned pages = 0;

	(void)snprintf(full, sizeof full, "%s", query);
	for (*found = 0;; pages++) {
		cJSON *tree = cJSON_Parse(listed(kind, many, full, 200)), *item;
		const char *cursor = cJSON_GetStringValue(cJSON_GetObjectItem(tree, "next_cursor"));

		cJSON_ArrayForEach(item, cJSON_GetObjectItem(tree, "items"))
		{
			const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(item, "id"));

			ids[(*found)++] = (uint32_t)atoi(id + strlen(id) - 4);
		}
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(tree, "items")),
		    (int)cJSON_GetNumberValue(cJSON_GetObjectItem(tree, "count")));
		assert_true(
		    cJSON_Compare(cJSON_GetObjectItem(tree, "cursor"), cJSON_GetObjectItem(tree, "next_cursor"), true));
		if (cursor == NULL) {
			cJSON_Delete(tree);
			return pages + 1;
		}
		assert_int_equal(
		    strlen(cursor), strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"));
		(void)snprintf(full, sizeof full, "%s&cursor=%s", query, cursor);
		cJSON_Delete(tree);
	}
}

static void
comes_whole(const struct list_kind *kind, struct many many, const char *query, bool descending, unsigned pages)
{
	uint32_t ids[2000], found;

	assert_int_equal(pages, walk(kind, many, query, ids, &found));
	assert_int_equal(many.count, found);
	for (uint32_t i = 0; i < found; i++)
		assert_int_equal(descending ? many.count - i : i + 1, ids[i]);
}

static void
test_pages_show_everything_once_in_either_order(void **state)
{
	comes_whole(&uuids, (struct many){0}, "", false, 1);
	comes_whole(&uuids, (struct many){.count = 7}, "limit=3", false, 3);
	comes_whole(&uuids, (struct many){.count = 6}, "limit=3", false, 2);
	comes_whole(&uuids, (struct many){.count = 7}, "limit=1&order=desc", true, 7);
	comes_whole(&uuids, (struct many){.count = 1000}, "", false, 1);
	comes_whole(&uuids, (struct many){.count = 1001}, "limit=", false, 2);
	comes_whole(&names, (struct many){.count = 600}, "limit=249", true, 3);
	comes_whole(&names, (struct many){.count = 600}, "limit=250&order=asc", false, 3);
}

static void
test_a_page_ends_at_its_bytes_and_is_never_empty(void **state)
{
	comes_whole(&uuids, (struct many){.count = 10, .bytes = 1000000}, "", false, 3);
	comes_whole(&uuids, (struct many){.count = 2, .bytes = 5000000}, "", false, 2);
}

static void
test_few_large_payloads_are_in_memory_at_a_time(void **state)
{
	struct list_kind kind = uuids;

	largest_read = 0;
	comes_whole(&kind, (struct many){.count = 600}, "", false, 1);
	assert_int_equal(largest_read, 250);
	kind.has_payloads = true;
	largest_read = 0;
	comes_whole(&kind, (struct many){.count = 600}, "", false, 1);
	assert_int_equal(largest_read, 4);
}

static void
test_a_cursor_of_another_list_or_order_is_refused(void **state)
{
	struct many many = {.count = 5};
	char cursor[100], query[200];
	cJSON *tree = cJSON_Parse(listed(&uuids, many, "limit=2", 200));

	(void)snprintf(cursor, sizeof cursor, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(tree, "cursor")));
	cJSON_Delete(tree);
	(void)snprintf(query, sizeof query, "cursor=%s", cursor);
	(void)listed(&uuids, many, query, 200);
	(void)listed(&names, many, query, 400);
	(void)snprintf(query, sizeof query, "cursor=%s&order=desc", cursor);
	(void)listed(&uuids, many, query, 400);
	for (size_t len = strlen(cursor) - 1; len > 0; len--) {
		(void)snprintf(query, sizeof query, "cursor=%.*s", (int)len, cursor);
		(void)listed(&uuids, many, query, 400);
	}
	(void)snprintf(query, sizeof query, "cursor=%sAAAA", cursor);
	(void)listed(&uuids, many, query, 400);
}

static void
test_a_wrong_query_is_refused(void **state)
{
	for (const char *const *query =
		 (const char *const[]){"limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1.5", "order=up",
		     "order=ASC", "cursor=%20", "cursor=*", "cursor=dWE", "cursor=dWEwMTkw", "cursor=====", NULL};
	     *query != NULL; query++)
		assert_non_null(
		    strstr(listed(&uuids, (struct many){.count = 1}, *query, 400), "\"error\":\"validation_error\""));
}

static void
test_a_store_that_fails_in_the_middle_is_503(void **state)
{
	assert_non_null(strstr(
	    listed(&uuids, (struct many){.count = 900, .reads_left = 2}, "", 503), "\"error\":\"store_unavailable\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pages_show_everything_once_in_either_order),
	    cmocka_unit_test(test_a_page_ends_at_its_bytes_and_is_never_empty),
	    cmocka_unit_test(test_few_large_payloads_are_in_memory_at_a_time),
	    cmocka_unit_test(test_a_cursor_of_another_list_or_order_is_refused),
	    cmocka_unit_test(test_a_wrong_query_is_refused),
	    cmocka_unit_test(test_a_store_that_fails_in_the_middle_is_503),
	};

	return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
