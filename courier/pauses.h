/* Which tenants' deliveries are paused, by the last reading of the store. */
#ifndef COURIER_PAUSES_H
#define COURIER_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* All zero: none are paused. */
struct pauses {
	bool all;
	char *all_reason; /* why the service paused all by itself; NULL: it did not */
	char **tenants; /* paused one by one, in the order of bytes */
	uint32_t count;
};

/* Reads the pauses into an empty struct. As db_query(); it stays empty after any result but 0. */
int pauses_read(struct pauses *pauses, struct db *db, struct error *err);

/* Whether deliveries of the tenant are paused. */
bool pauses_have(const struct pauses *pauses, struct span tenant_id);

bool pauses_are_same(const struct pauses *one, const struct pauses *other);

/* A copy, which pauses_free() empties. */
struct pauses pauses_copy(const struct pauses *pauses);
void pauses_free(struct pauses *pauses);

#endif
