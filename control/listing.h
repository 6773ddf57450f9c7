/*
 * Lists of the management API: limit, cursor and order of the query, and the reply {"items", "count", "next_cursor",
 * "cursor"}. A cursor is base64url of the list's letter, the order and the place of the last item: its id, behind a
 * time where the list is ordered by one. It holds nothing else, so filters come from the query of each page. Worker
 * threads.
 */
#ifndef CONTROL_LISTING_H
#define CONTROL_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "control/request.h"
#include "store/db.h"

#define LIST_LIMIT_MAX 1000
#define LIST_ID_BYTES 65 /* of the longest id, a tenant's, and a NUL */

/* What is to be listed, or a part of it. */
struct list_page {
	char after[LIST_ID_BYTES]; /* behind this id; "": from the beginning */
	int64_t after_us; /* and this time, where time_us of the kind is set */
	bool descending;
	uint32_t limit;
};

/* What a list is of. */
struct list_kind {
	char letter; /* of its cursors: no two lists have the same */
	bool descending; /* unless order= says otherwise */
	bool of_names; /* ids are not UUIDs but tenants' names */
	uint32_t limit; /* unless limit= says otherwise; 0: LIST_LIMIT_MAX */

	/* Reads the rows of a part, in its order. filter is the handler's. Returns as db_query(). */
	int (*read)(const struct request *request, const void *filter, const struct list_page *part,
	    struct db_rows **rows, struct error *err);

	/* The object of a row, with its "id" unless there is the function below. Never NULL. */
	cJSON *(*show)(const struct request *request, const struct db_rows *rows, uint32_t row);

	/* Whether a row that was read belongs to the list. NULL: each does. */
	bool (*fits)(const void *filter, const struct db_rows *rows, uint32_t row);

	/* The id of a row. Needed where show() makes raw JSON, or fits() leaves rows out; else NULL. */
	struct span (*id)(const struct db_rows *rows, uint32_t row);

	/* The time by which the list is ordered before ids. NULL: by ids alone. */
	int64_t (*time_us)(const struct db_rows *rows, uint32_t row);

	/* The time that the cursor of an ascending list does not pass, by a row of this moment. NULL: there is none. */
	int64_t (*settled_us)(const struct request *request, const struct db_rows *rows, uint32_t row);
};

/* Reads limit, cursor and order. false: one of them is wrong, and the reply says so (400). */
bool list_page_read(
    const struct request *request, const struct list_kind *kind, struct list_page *page, struct reply *reply);

/*
 * The page as the reply's tree, to which the handler may add before it answers with it. It ends early where its items
 * pass REPLY_PAGE_BYTES, but never without an item. NULL: the store failed, and the reply says so.
 */
cJSON *list_collect(const struct request *request, const struct list_kind *kind, const void *filter,
    const struct list_page *page, struct reply *reply);

/* Both, and the answer. */
void list_answer(const struct request *request, const struct list_kind *kind, const void *filter, struct reply *reply);

#endif
