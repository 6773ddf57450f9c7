/* Rows are read a slice at a time, so that a page of large objects can end before it fills the memory. */
#include "control/listing.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/query.h"

#define SLICE_ROWS 250u
/* The most bytes of payloads in a slice, unless a single one is larger. */
#define SLICE_BYTES (UINT64_C(256) << 20)

static struct list_cursor
cursor_form(const struct list_kind *kind)
{
	return (struct list_cursor){.letter = kind->letter,
	    .of_names = kind->of_names,
	    .has_times = kind->time_us != NULL,
	    .goes_back = kind->now != NULL};
}

/* ---- the query ---- */

bool
list_page_read(const struct request *request, const struct list_kind *kind, struct list_page *page, struct reply *reply)
{
	char value[QUERY_VALUE_BYTES];
	int64_t limit = kind->limit != 0 ? kind->limit : LIST_LIMIT_MAX;

	*page = (struct list_page){.descending = kind->descending};
	if (!query_int(request, "limit", 1, LIST_LIMIT_MAX, &limit, reply))
		return false;
	page->limit = (uint32_t)limit;
	if (query_value(request, "order", value)) {
		page->descending = strcmp(value, "desc") == 0;
		if (!page->descending && strcmp(value, "asc") != 0) {
			answer_error(reply, 400, "validation_error", "query: order must be asc or desc");
			return false;
		}
	}
	if (query_value(request, "cursor", value) && !list_cursor_read(cursor_form(kind), page, value)) {
		answer_error(
		    reply, 400, "validation_error", "query: cursor is not one that this list gave, in this order");
		return false;
	}
	return true;
}

/* ---- pages ---- */

/* The place of an item in a list. */
struct place {
	char id[LIST_ID_BYTES];
	int64_t us; /* 0 in a list that has no times */
};

/* A page that is being filled. */
struct filling {
	cJSON *items;
	uint32_t count;
	size_t bytes;
	bool more; /* an item follows the page */
	struct place last; /* the last row taken; id "": none */
	struct place settled; /* the last row that is not young; id "": none */
	int64_t young_us; /* rows of this time or later are young; INT64_MAX: none */
};

/* Takes the tree and replaces it by its text, so that it is printed once. false: the page ends before it. */
static bool
add_item(struct filling *filling, const struct list_page *page, cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);
	size_t len = text != NULL ? strlen(text) : 0;
	cJSON *item;

	if (text == NULL)
		mem_none(0);
	filling->more =
	    filling->count == page->limit || (filling->count > 0 && filling->bytes + len > REPLY_PAGE_BYTES);
	if (!filling->more) {
		item = cJSON_CreateRaw(text);
		if (item == NULL)
			mem_none(len);
		(void)cJSON_AddItemToArray(filling->items, item);
		filling->count++;
		filling->bytes += len + 1;
	}
	cJSON_free(text);
	cJSON_Delete(object);
	return !filling->more;
}

/* A list and what is needed to read it. */
struct reading {
	const struct request *request;
	const struct list_kind *kind;
	const void *filter;
	const struct list_page *page;
};

/* Takes a row. false: the page ends before it. */
static bool
add_row(const struct reading *reading, const struct db_rows *rows, uint32_t row, struct filling *filling)
{
	const struct list_kind *kind = reading->kind;
	bool fits = kind->fits == NULL || kind->fits(reading->filter, rows, row);
	cJSON *object = fits ? kind->show(reading->request, rows, row) : NULL;
	const char *id = kind->id != NULL ? kind->id(rows, row).base
					  : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "id"));
	struct place place = {.us = kind->time_us != NULL ? kind->time_us(rows, row) : 0};

	/* A row written by hand may have a longer id: its place is then a little before it. */
	assert(id != NULL);
	(void)snprintf(place.id, sizeof place.id, "%s", id);
	if (object != NULL && !add_item(filling, reading->page, object))
		return false;
	filling->last = place;
	if (place.us < filling->young_us)
		filling->settled = place;
	return true;
}

/* The next page. */
static struct list_page
next_page(const struct list_page *page, const struct filling *filling)
{
	struct list_page next = *page;
	const struct place *end = &filling->last;

	if (page->young_us == 0 && end->us >= filling->young_us) {
		if (filling->settled.id[0] != '\0')
			end = &filling->settled;
		else
			/* Not before the place at which this list began. */
			next.young_us = filling->young_us > page->after_us ? filling->young_us : page->after_us;
	}
	memcpy(next.after, end->id, sizeof next.after);
	next.after_us = end->us;
	return next;
}

/* The tree {"items", "count", "next_cursor", "cursor"}. */
static cJSON *
page_tree(const struct list_kind *kind, const struct list_page *page, const struct filling *filling)
{
	char cursor[LIST_CURSOR_BYTES];
	cJSON *tree = cJSON_CreateObject();
	struct list_page next = next_page(page, filling);

	if (tree == NULL)
		mem_none(0);
	(void)cJSON_AddItemToObject(tree, "items", filling->items);
	(void)cJSON_AddNumberToObject(tree, "count", filling->count);
	for (const char *const *name = (const char *const[]){"next_cursor", "cursor", NULL}; *name != NULL; name++) {
		if (!filling->more) {
			(void)cJSON_AddNullToObject(tree, *name);
			continue;
		}
		list_cursor_write(cursor_form(kind), &next, cursor);
		(void)cJSON_AddStringToObject(tree, *name, cursor);
	}
	return tree;
}

/*
 * Asks the store since when rows are young, before reading any, and goes back to formerly young rows. Returns as
 * db_query().
 */
static int
find_young(const struct request *request, const struct list_kind *kind, struct list_page *page, int64_t *young_us,
    struct error *err)
{
	int64_t timeout_us, now_ms;
	int rc;

	*young_us = INT64_MAX;
	if (kind->now == NULL || page->descending)
		return 0;
	rc = kind->now(request->db, &now_ms, err);
	if (rc != 0)
		return rc;
	timeout_us = (int64_t)request->context->config->store_timeout_ms * 1000;
	*young_us = now_ms * 1000 - 2 * timeout_us;
	if (page->young_us != 0 && *young_us - page->young_us > timeout_us / 2) {
		page->after_us = page->young_us;
		(void)snprintf(page->after, sizeof page->after, "%s", db_first_uuid(false));
		page->young_us = 0;
	}
	return 0;
}

static uint32_t
slice_rows(const struct request *request, const struct list_kind *kind)
{
	const uint64_t rows =
	    kind->has_payloads ? SLICE_BYTES / request->context->config->hl_max_payload_bytes : SLICE_ROWS;

	if (rows >= SLICE_ROWS)
		return SLICE_ROWS;
	return rows > 0 ? (uint32_t)rows : 1;
}

cJSON *
list_collect(const struct request *request, const struct list_kind *kind, const void *filter,
    const struct list_page *page, struct reply *reply)
{
	struct list_page whole = *page;
	struct list_slice slice;
	const struct reading reading = {request, kind, filter, &whole};
	struct filling filling = {.items = cJSON_CreateArray()};
	const uint32_t most = slice_rows(request, kind);
	struct db_rows *rows;
	struct error err;
	uint32_t found;
	int rc;

	if (filling.items == NULL)
		mem_none(0);
	rc = find_young(request, kind, &whole, &filling.young_us, &err);
	slice = (struct list_slice){
	    whole.after[0] != '\0' ? whole.after : NULL, whole.after_us, whole.descending, whole.limit};
	do {
		/* One more than wanted, to know whether there is a next page. */
		slice.limit = whole.limit + 1 - filling.count < most ? whole.limit + 1 - filling.count : most;
		if (rc == 0)
			rc = kind->read(request, filter, &slice, &rows, &err);
		if (rc != 0) {
			cJSON_Delete(filling.items);
			answer_store_failed(reply, rc, &err);
			return NULL;
		}
		found = db_rows_count(rows);
		for (uint32_t row = 0; row < found; row++)
			if (!add_row(&reading, rows, row, &filling))
				break;
		db_rows_free(rows);
		slice.after = filling.last.id;
		slice.after_us = filling.last.us;
	} while (found == slice.limit && !filling.more);
	return page_tree(kind, &whole, &filling);
}

void
list_answer(const struct request *request, const struct list_kind *kind, const void *filter, struct reply *reply)
{
	struct list_page page;
	cJSON *tree;

	if (!list_page_read(request, kind, &page, reply))
		return;
	tree = list_collect(request, kind, filter, &page, reply);
	if (tree != NULL)
		answer_json(reply, 200, tree);
}
