/* The routing versions of all tenants, as a process has seen them last: which of them have moved. */
#ifndef COURIER_TENANT_VERSIONS_H
#define COURIER_TENANT_VERSIONS_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* In the order of tenant_id. All zero: none. */
struct tenant_versions {
	struct tenant_version {
		char *tenant_id;
		int64_t version;
	} * items;
	uint32_t count, capacity;
};

/* Reads those of the store into an empty one. As db_query(); it is empty after any result but 0. */
int tenant_versions_read(struct tenant_versions *versions, struct db *db, struct error *err);

/* Calls moved() for each tenant that stands in one of the two alone, or with different versions. */
void tenant_versions_compare(const struct tenant_versions *old, const struct tenant_versions *now,
    void (*moved)(void *context, const char *tenant_id), void *context);

void tenant_versions_free(struct tenant_versions *versions);

#endif
