/* A slice of a list of the webhooks' store: its beginning, direction and length. */
#ifndef STORE_WEBHOOKS_LIST_SLICE_H
#define STORE_WEBHOOKS_LIST_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/db_statement.h"

struct list_slice {
	const char *after; /* behind the row of this id; NULL: from the beginning */
	int64_t after_us; /* the time of that row, in lists ordered by a time, then by id */
	bool descending;
	uint32_t limit;
};

/* The parameter behind which a list of UUIDs continues. */
static inline struct db_param
list_after_id(const struct list_slice *slice)
{
	return db_string(slice->after != NULL ? slice->after : db_first_uuid(slice->descending));
}

#endif
