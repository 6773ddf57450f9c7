/*
 * Lists of the management API: limit, cursor and order of the query, and the reply {"items", "count", "next_cursor",
 * "cursor"}. A cursor (control/list_cursor.h) holds order and place, so filters come from the query of each page.
 *
 * Following an ascending list. A row has the time at which its transaction began, and is there when that has committed:
 * behind rows of later times that were listed already. No transaction that adds rows lasts longer than two
 * STORE_TIMEOUT_MS (db_share_timeout() in store/db.h). Younger rows may get such neighbours, so a cursor stays at the
 * last row that is older. A page of young rows alone leads on through them, and its cursor keeps the time from which on
 * rows were young. When half a STORE_TIMEOUT_MS more is no longer young, the list goes back to that time. So no row is
 * passed over, some are listed again, and no number of young rows stops a reader.
 *
 * Worker threads.
 */
#ifndef CONTROL_LISTING_H
#define CONTROL_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "control/list_cursor.h"
#include "control/request.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

#define LIST_LIMIT_MAX 1000

/* What a list is of. */
struct list_kind {
	char letter; /* of its cursors: no two lists have the same */
	bool descending; /* unless order= says otherwise */
	bool of_names; /* ids are not UUIDs but tenants' names */
	uint32_t limit; /* unless limit= says otherwise; 0: LIST_LIMIT_MAX */

	/* Reads a slice of the rows, in its order. filter is the handler's. Returns as db_query(). */
	int (*read)(const struct request *request, const void *filter, const struct list_slice *slice,
	    struct db_rows **rows, struct error *err);

	/* The object of a row, with its "id" unless there is the function below. Never NULL. */
	cJSON *(*show)(const struct request *request, const struct db_rows *rows, uint32_t row);

	/* Whether a row that was read belongs to the list. NULL: each does. */
	bool (*fits)(const void *filter, const struct db_rows *rows, uint32_t row);

	/* The id of a row. Needed where show() makes raw JSON, or fits() leaves rows out; else NULL. */
	struct span (*id)(const struct db_rows *rows, uint32_t row);

	/* The time by which the list is ordered before ids. NULL: by ids alone. */
	int64_t (*time_us)(const struct db_rows *rows, uint32_t row);

	/*
	 * The store's clock, where the times are those at which transactions began: the list can be followed. Returns
	 * as db_query(). NULL: it cannot.
	 */
	int (*now)(struct db *db, int64_t *now_ms, struct error *err);
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
