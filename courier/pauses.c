/* Tenants are sorted here by bytes: the store's order may differ. */
#include "courier/pauses.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/pause_rows.h"

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add(struct pauses *pauses, const struct db_rows *rows, uint32_t row)
{
	struct span tenant_id = db_rows_text(rows, row, PAUSE_COLUMN_TENANT_ID);
	struct span reason = db_rows_text(rows, row, PAUSE_COLUMN_REASON);
	bool by_service = db_rows_text(rows, row, PAUSE_COLUMN_PAUSED_BY).base == NULL;

	if (strcmp(tenant_id.base, PAUSE_OF_ALL) != 0) {
		pauses->tenants[pauses->count++] = mem_strdup(tenant_id.base);
		return;
	}
	pauses->all = true;
	if (by_service && reason.base != NULL)
		pauses->all_reason = mem_strdup(reason.base);
}

int
pauses_read(struct pauses *pauses, struct db *db, struct error *err)
{
	struct db_rows *rows;
	int rc = pause_rows_list(db, &rows, err);

	*pauses = (struct pauses){0};
	if (rc != 0)
		return rc;
	pauses->tenants = mem_new(db_rows_count(rows) + 1, sizeof(char *));
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		add(pauses, rows, row);
	qsort(pauses->tenants, pauses->count, sizeof(char *), by_bytes);
	db_rows_free(rows);
	return 0;
}

bool
pauses_have(const struct pauses *pauses, struct span tenant_id)
{
	uint32_t low = 0, high = pauses->count;

	while (!pauses->all && low < high) {
		uint32_t middle = low + (high - low) / 2;
		const char *name = pauses->tenants[middle];
		size_t len = strlen(name);
		int order = memcmp(name, tenant_id.base, len < tenant_id.len ? len : tenant_id.len);

		if (order == 0 && len == tenant_id.len)
			return true;
		if (order < 0 || (order == 0 && len < tenant_id.len))
			low = middle + 1;
		else
			high = middle;
	}
	return pauses->all;
}

bool
pauses_are_same(const struct pauses *one, const struct pauses *other)
{
	const char *reason = one->all_reason != NULL ? one->all_reason : "";

	if (one->all != other->all || one->count != other->count ||
	    strcmp(reason, other->all_reason != NULL ? other->all_reason : "") != 0)
		return false;
	for (uint32_t i = 0; i < one->count; i++)
		if (strcmp(one->tenants[i], other->tenants[i]) != 0)
			return false;
	return true;
}

struct pauses
pauses_copy(const struct pauses *pauses)
{
	struct pauses copy = {.all = pauses->all, .count = pauses->count};

	copy.tenants = mem_new(pauses->count + 1, sizeof(char *));
	for (uint32_t i = 0; i < pauses->count; i++)
		copy.tenants[i] = mem_strdup(pauses->tenants[i]);
	if (pauses->all_reason != NULL)
		copy.all_reason = mem_strdup(pauses->all_reason);
	return copy;
}

void
pauses_free(struct pauses *pauses)
{
	for (uint32_t i = 0; i < pauses->count; i++)
		free(pauses->tenants[i]);
	free(pauses->tenants);
	free(pauses->all_reason);
	*pauses = (struct pauses){0};
}
