/*
 * Lists of the management API: limit, cursor and order of the query, and the reply {"items", "count", "next_cursor",
 * "cursor"}. A cursor (control/list_cursor.h) holds order and place, so filters come from the query of each page.
 *
 * Following an ascending list. A row has the start of its transaction as its time, but appears at the commit, so it may
 * appear before rows that were listed already. No transaction that adds rows lasts longer than two STORE_TIMEOUT_MS
 * (db_share_timeout() in store/db.h); rows younger than that are young. Rows may still appear among young rows, so a
 * cursor stays at the last row that is older. If a page has only young rows, its cursor goes on through them and keeps
 * the time since which rows were young. When half a STORE_TIMEOUT_MS of these is no longer young, the list goes back to
 * that time. So no row is missed, some are listed twice, and no number of young rows stops a reader.
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

/* A kind of list. */
struct list_kind {
	char letter; /* of its cursors; unique */
	bool descending; /* default order, unless order= is given */
	bool of_names; /* ids are tenants' names, not UUIDs */
	bool has_payloads; /* a row has a published event, of up to HL_MAX_PAYLOAD_BYTES */
	uint32_t limit; /* default limit; 0: LIST_LIMIT_MAX */

	/* Reads a slice of rows in its order. filter is the handler's. Returns as db_query(). */
	int (*read)(const struct request *request, const void *filter, const struct list_slice *slice,
	    struct db_rows **rows, struct error *err);

	/* Makes the object of a row, with "id" unless the function id() exists. Never NULL. */
	cJSON *(*show)(const struct request *request, const struct db_rows *rows, uint32_t row);

	/* Whether a row belongs to the list. NULL: every row does. */
	bool (*fits)(const void *filter, const struct db_rows *rows, uint32_t row);

	/* The id of a row. Needed if show() makes raw JSON, or if there is fits(); otherwise NULL. */
	struct span (*id)(const struct db_rows *rows, uint32_t row);

	/* The time by which the list is ordered, before ids. NULL: by ids alone. */
	int64_t (*time_us)(const struct db_rows *rows, uint32_t row);

	/*
	 * Reads the store's clock. Set if the times are the starts of transactions, so that the list can be followed.
	 * NULL: it cannot. Returns as db_query().
	 */
	int (*now)(struct db *db, int64_t *now_ms, struct error *err);
};

/* Reads limit, cursor and order. false: the reply says what is wrong (400). */
bool list_page_read(
    const struct request *request, const struct list_kind *kind, struct list_page *page, struct reply *reply);

/*
 * Makes the page as the reply's tree, to which the handler may add members. The page ends early if its items exceed
 * REPLY_PAGE_BYTES, but has at least one. NULL: the store failed, and the reply says so.
 */
cJSON *list_collect(const struct request *request, const struct list_kind *kind, const void *filter,
    const struct list_page *page, struct reply *reply);

/* Reads the page, collects it, and answers. */
void list_answer(const struct request *request, const struct list_kind *kind, const void *filter, struct reply *reply);

#endif
