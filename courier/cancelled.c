/* A parcel's age counts from the start of its transaction, so the parcel is older than the cancellation. */
#include "courier/cancelled.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "courier/read_schedule.h"

struct cancelled_job {
	struct id_link link; /* first */
	TAILQ_ENTRY(cancelled_job) in_list;
	int64_t added_us;
	char tenant_id[];
};

void
cancelled_open(struct cancelled *cancelled)
{
	*cancelled = (struct cancelled){0};
	TAILQ_INIT(&cancelled->list);
}

static void
remove_first(struct cancelled *cancelled)
{
	struct cancelled_job *job = TAILQ_FIRST(&cancelled->list);

	TAILQ_REMOVE(&cancelled->list, job, in_list);
	id_table_remove(&cancelled->table, &job->link);
	free(job);
}

void
cancelled_close(struct cancelled *cancelled)
{
	while (!TAILQ_EMPTY(&cancelled->list))
		remove_first(cancelled);
	id_table_free(&cancelled->table);
}

void
cancelled_add(struct cancelled *cancelled, const char *tenant_id, const uint8_t job_id[16], int64_t now_us)
{
	size_t bytes = strlen(tenant_id) + 1;
	struct cancelled_job *job = mem_new(1, sizeof *job + bytes);

	memcpy(job->link.id, job_id, sizeof job->link.id);
	memcpy(job->tenant_id, tenant_id, bytes);
	job->added_us = now_us;
	TAILQ_INSERT_TAIL(&cancelled->list, job, in_list);
	id_table_add(&cancelled->table, &job->link);
}

bool
cancelled_has(const struct cancelled *cancelled, struct span tenant_id, const uint8_t job_id[16])
{
	struct id_link *link = id_table_find(&cancelled->table, job_id);

	for (; link != NULL; link = id_table_next(link)) {
		const char *name = ((struct cancelled_job *)link)->tenant_id;

		if (strlen(name) == tenant_id.len && memcmp(name, tenant_id.base, tenant_id.len) == 0)
			return true;
	}
	return false;
}

void
cancelled_forget(struct cancelled *cancelled, int64_t now_us)
{
	const struct cancelled_job *first;

	while ((first = TAILQ_FIRST(&cancelled->list)) != NULL && now_us - first->added_us > OLD_PARCEL_US)
		remove_first(cancelled);
}
