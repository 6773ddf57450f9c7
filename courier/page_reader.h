/* Reading what waits in rows, for the loop. The store thread calls these functions. */
#ifndef COURIER_PAGE_READER_H
#define COURIER_PAGE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/news.h"
#include "store/db.h"

struct page_order {
	const char *tenant_id; /* borrowed, as the ids */
	const uint8_t *endpoint_id, *after; /* behind that job; all zero: from the first on */
	int64_t node_id;
	uint64_t event_bytes; /* events stop there, but one always comes */
};

/* What stands in the rows of a page besides. */
struct page_marks {
	bool any_held, any_pending;
};

/* Reads a page as NEWS_PAGE, which is the caller's. As db_commit(). */
int page_read(
    struct db *db, const struct page_order *order, struct news **page, struct page_marks *marks, struct error *err);

#endif
