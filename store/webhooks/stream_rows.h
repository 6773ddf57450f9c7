/*
 * Finds tenants' new rows for streams (control/stream_feed.h). The functions return what db_query() does
 * (store/db.h). For one thread, in no transaction.
 */
#ifndef STORE_WEBHOOKS_STREAM_ROWS_H
#define STORE_WEBHOOKS_STREAM_ROWS_H

#include <stdint.h>

#include "store/db.h"

/*
 * Events stored at from_us or later, up to and including the one at last_us with last_id: id and time in microseconds,
 * in the order of both.
 */
int stream_rows_events(struct db *db, const char *tenant_id, int64_t from_us, int64_t last_us, const char *last_id,
    struct db_rows **rows, struct error *err); /* seven: as above, and what comes back */

/* The ids of attempts behind one id up to and including another, in order: the last `limit` of them. */
int stream_rows_attempts(struct db *db, const char *tenant_id, const char *after_id, const char *last_id,
    uint32_t limit, struct db_rows **rows, struct error *err); /* seven: as above */

/* The place of a row, or any other one. Texts are borrowed. */
struct stream_rows_place {
	const char *tenant_id;
	int64_t us; /* of attempts: none behind the place began before it */
	const char *id;
};

/* Of these places, the numbers of those that an event of their tenant is behind: one column. */
int stream_rows_changed_events(
    struct db *db, const struct stream_rows_place *places, uint32_t count, struct db_rows **numbers, struct error *err);

/* The same of attempts. */
int stream_rows_changed_attempts(
    struct db *db, const struct stream_rows_place *places, uint32_t count, struct db_rows **numbers, struct error *err);

#endif
