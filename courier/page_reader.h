/* Reading what waits in rows, for the loop. The store thread calls these functions. */
#ifndef COURIER_PAGE_READER_H
#define COURIER_PAGE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/errands.h"
#include "courier/news.h"
#include "store/db.h"

struct page_order {
	const char *tenant_id; /* borrowed, as the other pointers */
	const uint8_t *endpoint_id;
	int64_t node_id;
	const struct page_wish *wish;
};

/* What stands in the rows of a page besides. */
struct page_marks {
	bool any_held, any_pending;
};

/*
 * Gives a slice of the node's rows a place, if the wish wants that: of those behind placed, which goes on. *more:
 * others may have none. Call it until it says no, then page_read(). As db_commit(); then placed is as before.
 */
int page_place(struct db *db, const struct page_order *order, uint8_t placed[16], bool *more, struct error *err);

/* Reads a page as NEWS_PAGE, which is the caller's. As db_commit(). */
int page_read(
    struct db *db, const struct page_order *order, struct news **page, struct page_marks *marks, struct error *err);

#endif
