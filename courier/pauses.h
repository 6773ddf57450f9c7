/* Whose deliveries are paused, as the store has been read last. */
#ifndef COURIER_PAUSES_H
#define COURIER_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* All zero: nobody's are. */
struct pauses {
	bool all;
	char *all_reason; /* why the service itself has paused all; NULL: it has not */
	char **tenants; /* that are paused by themselves, in the order of bytes */
	uint32_t count;
};

/* Reads them into empty ones. As db_query(); they are empty after any result but 0. */
int pauses_read(struct pauses *pauses, struct db *db, struct error *err);

/* Whether deliveries of the tenant are paused. */
bool pauses_have(const struct pauses *pauses, struct span tenant_id);

bool pauses_are_same(const struct pauses *one, const struct pauses *other);

/* A copy, which pauses_free() empties. */
struct pauses pauses_copy(const struct pauses *pauses);
void pauses_free(struct pauses *pauses);

#endif
