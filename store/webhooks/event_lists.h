/*
 * Published events, as the API reads them. The functions return what db_query() does (store/db.h); *rows has the
 * columns of enum event_column. For one thread, in no transaction.
 */
#ifndef STORE_WEBHOOKS_EVENT_LISTS_H
#define STORE_WEBHOOKS_EVENT_LISTS_H

#include "store/webhooks/list_sql.h"

enum event_column {
	EVENT_COLUMN_EVENT, /* the first of stored_event_of_row() */
	EVENT_COLUMN_JOBS = EVENT_COLUMN_COUNT, /* how many jobs were made of it */
	EVENT_COLUMN_STORED_US, /* its place in an ascending list */
};

struct event_filter {
	struct span topic_like; /* of LIKE; base NULL: every topic */
	struct time_range created;
};

/* One row, or none: the tenant has no such event. created: a range that holds the time in the id. */
int event_lists_get(struct db *db, const char *tenant_id, const char *event_id, struct time_range created,
    struct db_rows **rows, struct error *err); /* six: what to read, and what comes back */

/*
 * Ascending: by the start of the storing transaction, then by id; an event of a slow transaction may appear before
 * events that were read already (control/listing.h). Descending: by id alone.
 */
int event_lists_list(struct db *db, const char *tenant_id, const struct event_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err); /* six: as above */

#endif
