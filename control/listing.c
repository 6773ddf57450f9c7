/* Rows are read a part at a time, so that a page of large objects does not fill memory before it is known to end. */
#include "control/listing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "config/text_rules.h"
#include "control/object_id.h"
#include "control/query.h"

#define PART_ROWS 250u
#define CURSOR_BYTES (2 + LIST_ID_BYTES - 1)

/* ---- cursors ---- */

static char
order_letter(bool descending)
{
	return descending ? 'd' : 'a';
}

/* Where an item stands in a list. */
struct place {
	char id[LIST_ID_BYTES];
	int64_t us; /* 0 in a list that has no times */
};

/* The letter, the order, the time and a dot if the list has times, the id. */
static void
write_cursor(const struct list_kind *kind, const struct list_page *page, const struct place *place,
    char out[BASE64_TEXT_BYTES(CURSOR_BYTES)])
{
	char bytes[CURSOR_BYTES + 1];
	int len;

	if (kind->time_us != NULL)
		len = snprintf(bytes, sizeof bytes, "%c%c%" PRId64 ".%s", kind->letter, order_letter(page->descending),
		    place->us, place->id);
	else
		len = snprintf(bytes, sizeof bytes, "%c%c%s", kind->letter, order_letter(page->descending), place->id);
	assert(len < (int)sizeof bytes);
	(void)base64_encode(bytes, (size_t)len, BASE64_URL, out);
}

/* Takes "<digits>." off the front of the text: up to the year 10000, so that every store has the time. */
static bool
take_time(struct span *text, int64_t *us)
{
	size_t n = 0;

	for (*us = 0; n < text->len && n < 18 && text->base[n] >= '0' && text->base[n] <= '9'; n++)
		*us = *us * 10 + (text->base[n] - '0');
	if (n == 0 || n == text->len || text->base[n] != '.')
		return false;
	*text = (struct span){text->base + n + 1, text->len - n - 1};
	return true;
}

static bool
read_cursor(const struct list_kind *kind, struct list_page *page, const char *text)
{
	char bytes[CURSOR_BYTES], id[OBJECT_ID_BYTES];
	struct span place;
	size_t len;

	if (!base64_decode((struct span){text, strlen(text)}, BASE64_URL, bytes, sizeof bytes, &len) || len < 3 ||
	    bytes[0] != kind->letter || bytes[1] != order_letter(page->descending))
		return false;
	place = (struct span){bytes + 2, len - 2};
	if (kind->time_us != NULL && !take_time(&place, &page->after_us))
		return false;
	if (kind->of_names ? !text_is_tenant(place.base, place.len)
			   : !object_id_read(place, id) || place.len != strlen(id))
		return false;
	memcpy(page->after, place.base, place.len);
	page->after[place.len] = '\0';
	return true;
}

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
	if (query_value(request, "cursor", value) && !read_cursor(kind, page, value)) {
		answer_error(
		    reply, 400, "validation_error", "query: cursor is not one that this list gave, in this order");
		return false;
	}
	return true;
}

/* ---- pages ---- */

/* A page as it is filled. */
struct filling {
	cJSON *items;
	uint32_t count;
	size_t bytes;
	bool more; /* there is an item behind the page */
	struct place last; /* of the rows that were taken; id "": none */
	int64_t settled_us; /* what the cursor does not pass; INT64_MAX: nothing */
};

/* Takes the tree, which becomes its text: it is printed once. Returns false when the page ends before it. */
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

/* A list that is being read. */
struct reading {
	const struct request *request;
	const struct list_kind *kind;
	const void *filter;
	const struct list_page *page;
};

/* Takes a row. Returns false when the page ends before it. */
static bool
add_row(const struct reading *reading, const struct db_rows *rows, uint32_t row, struct filling *filling)
{
	const struct list_kind *kind = reading->kind;
	bool fits = kind->fits == NULL || kind->fits(reading->filter, rows, row);
	cJSON *object = fits ? kind->show(reading->request, rows, row) : NULL;
	const char *id = kind->id != NULL ? kind->id(rows, row).base
					  : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "id"));
	struct place place = {.us = kind->time_us != NULL ? kind->time_us(rows, row) : 0};

	/* A row that a person wrote may have a longer id: its place is a little before it then. */
	assert(id != NULL);
	(void)snprintf(place.id, sizeof place.id, "%s", id);
	if (kind->settled_us != NULL && !reading->page->descending)
		filling->settled_us = kind->settled_us(reading->request, rows, row);
	if (object != NULL && !add_item(filling, reading->page, object))
		return false;
	filling->last = place;
	return true;
}

/*
 * Where the next page begins. What is not settled may get neighbours before it yet, from transactions that are under
 * way: it is listed again.
 */
static struct place
end_of(const struct list_page *page, const struct filling *filling)
{
	struct place end = filling->last;

	if (end.us <= filling->settled_us)
		return end;
	end.us = filling->settled_us;
	(void)snprintf(end.id, sizeof end.id, "%s", db_first_uuid(false));
	if (page->after[0] != '\0' && page->after_us >= end.us) {
		end.us = page->after_us;
		(void)snprintf(end.id, sizeof end.id, "%s", page->after);
	}
	return end;
}

/* The tree {"items", "count", "next_cursor", "cursor"}. */
static cJSON *
page_tree(const struct list_kind *kind, const struct list_page *page, const struct filling *filling)
{
	char cursor[BASE64_TEXT_BYTES(CURSOR_BYTES)];
	cJSON *tree = cJSON_CreateObject();
	struct place end = end_of(page, filling);

	if (tree == NULL)
		mem_none(0);
	(void)cJSON_AddItemToObject(tree, "items", filling->items);
	(void)cJSON_AddNumberToObject(tree, "count", filling->count);
	for (const char *const *name = (const char *const[]){"next_cursor", "cursor", NULL}; *name != NULL; name++) {
		if (!filling->more) {
			(void)cJSON_AddNullToObject(tree, *name);
			continue;
		}
		write_cursor(kind, page, &end, cursor);
		(void)cJSON_AddStringToObject(tree, *name, cursor);
	}
	return tree;
}

cJSON *
list_collect(const struct request *request, const struct list_kind *kind, const void *filter,
    const struct list_page *page, struct reply *reply)
{
	const struct reading reading = {request, kind, filter, page};
	struct filling filling = {.items = cJSON_CreateArray(), .settled_us = INT64_MAX};
	struct list_page part = *page;
	struct db_rows *rows;
	struct error err;
	uint32_t found;

	if (filling.items == NULL)
		mem_none(0);
	do {
		int rc;

		/* One more than wanted tells whether there is a next page. */
		part.limit = page->limit + 1 - filling.count < PART_ROWS ? page->limit + 1 - filling.count : PART_ROWS;
		rc = kind->read(request, filter, &part, &rows, &err);
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
		memcpy(part.after, filling.last.id, sizeof part.after);
		part.after_us = filling.last.us;
	} while (found == part.limit && !filling.more);
	return page_tree(kind, page, &filling);
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
