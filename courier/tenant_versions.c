/* The store's order of tenants is that of bytes. */
#include "courier/tenant_versions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/endpoint_changes.h"

#define PAGE_ROWS_MAX 5000

static void
add(struct tenant_versions *versions, const struct db_rows *rows, uint32_t row)
{
	if (versions->count == versions->capacity) {
		versions->capacity = versions->capacity > 0 ? 2 * versions->capacity : 64;
		versions->items = mem_resize(versions->items, versions->capacity, sizeof *versions->items);
	}
	versions->items[versions->count++] = (struct tenant_version){
	    .tenant_id = mem_strdup(db_rows_text(rows, row, 0).base), .version = db_rows_int(rows, row, 1)};
}

int
tenant_versions_read(struct tenant_versions *versions, struct db *db, struct error *err)
{
	uint32_t count;

	do {
		const char *after = versions->count > 0 ? versions->items[versions->count - 1].tenant_id : "";
		struct db_rows *rows;
		int rc = routing_versions_after(db, after, PAGE_ROWS_MAX, &rows, err);

		if (rc != 0) {
			tenant_versions_free(versions);
			return rc;
		}
		count = db_rows_count(rows);
		for (uint32_t row = 0; row < count; row++)
			add(versions, rows, row);
		db_rows_free(rows);
	} while (count == PAGE_ROWS_MAX);
	return 0;
}

void
tenant_versions_compare(const struct tenant_versions *old, const struct tenant_versions *now,
    void (*moved)(void *context, const char *tenant_id), void *context)
{
	uint32_t i = 0, j = 0;

	while (i < old->count || j < now->count) {
		int order = i == old->count   ? 1
			    : j == now->count ? -1
					      : strcmp(old->items[i].tenant_id, now->items[j].tenant_id);

		if (order != 0 || old->items[i].version != now->items[j].version)
			moved(context, order < 0 ? old->items[i].tenant_id : now->items[j].tenant_id);
		i += order <= 0;
		j += order >= 0;
	}
}

void
tenant_versions_free(struct tenant_versions *versions)
{
	for (uint32_t i = 0; i < versions->count; i++)
		free(versions->items[i].tenant_id);
	free(versions->items);
	*versions = (struct tenant_versions){0};
}
