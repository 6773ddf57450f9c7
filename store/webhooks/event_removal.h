/*
 * Removes published events for good, with their waiting jobs. Dead letters contain their events; attempts show nothing
 * of an event's content. The functions return what db_query() does (store/db.h). For one thread.
 */
#ifndef STORE_WEBHOOKS_EVENT_REMOVAL_H
#define STORE_WEBHOOKS_EVENT_REMOVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"
#include "store/webhooks/list_sql.h"

/* The tenant's events behind that id, at most limit, in the order of ids: columns id and topic. In no transaction. */
int event_removal_page(struct db *db, const char *tenant_id, struct time_range created, const uint8_t after[16],
    uint32_t limit, struct db_rows **rows, struct error *err); /* seven: which, how many, and what comes back */

/* Some events of a tenant, in the order of ids. Everything is borrowed. */
struct event_removal {
	const struct config *config;
	const char *tenant_id;
	const uint8_t (*ids)[16];
	uint32_t count; /* at least 1 */
};

/*
 * Removes waiting jobs of the events, at most a few thousand, with the events kept in dlq_events. In a transaction of
 * jobs_begin() in which nobody else can make jobs of the tenant's events. *jobs: the ids of removed jobs, a column of
 * texts; the caller frees it. *done: no job of the events is left.
 */
int event_removal_jobs(
    struct db *db, const struct event_removal *removal, struct db_rows **jobs, bool *done, struct error *err);

/* Then, in the same transaction: removes the events. *removed: how many existed. */
int event_removal_run(struct db *db, const struct event_removal *removal, uint64_t *removed, struct error *err);

#endif
