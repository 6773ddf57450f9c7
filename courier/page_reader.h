/* Reads waiting jobs from their rows for the loop. The store thread calls these functions. */
#ifndef COURIER_PAGE_READER_H
#define COURIER_PAGE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "courier/store_requests.h"
#include "store/db.h"

struct page_spec {
	const char *tenant_id; /* borrowed, as the other pointers */
	const uint8_t *endpoint_id;
	int64_t node_id;
	const struct page_query *query;
};

/* The marks found in a page's rows. */
struct page_marks {
	bool any_held, any_pending;
};

/*
 * Gives places to a slice of the node's rows behind `placed`, if the query asks for it, and advances `placed`. *more:
 * further rows may have none: call it again until *more is false, then page_read(). As db_commit(); after any result
 * but 0 placed is unchanged.
 */
int page_place(struct db *db, const struct page_spec *spec, uint8_t placed[16], bool *more, struct error *err);

/* Reads a page as MESSAGE_PAGE, which the caller owns. As db_commit(). */
int page_read(
    struct db *db, const struct page_spec *spec, struct message **page, struct page_marks *marks, struct error *err);

#endif
