/* Maintains the list of a spool's files. */
#include "writer/spool_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "shm/counters.h"

void
spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX])
{
	char name[SPOOL_NAME_MAX];

	spool_file_name(part->id, name);
	(void)snprintf(out, PATH_MAX, "%s/%s", spool->directory, name);
}

void
spool_add_part(struct spool *spool, const struct spool_part *part)
{
	if (spool->count == spool->capacity) {
		spool->capacity = spool->capacity == 0 ? 16 : spool->capacity * 2;
		spool->parts = mem_resize(spool->parts, spool->capacity, sizeof *spool->parts);
	}
	spool->parts[spool->count++] = *part;
	spool->bytes += part->size;
}

void
spool_drop_last_part(struct spool *spool)
{
	spool->bytes -= spool->parts[--spool->count].size;
}

void
spool_drop_first_part(struct spool *spool)
{
	spool->bytes -= spool->parts[0].size;
	memmove(&spool->parts[0], &spool->parts[1], --spool->count * sizeof *spool->parts);
}

void
spool_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
spool_update_levels(const struct spool *spool)
{
	int64_t oldest_us = 0;

	level_set(&spool->slot->process, LEVEL_SPOOL_BYTES, spool->bytes);
	level_set(&spool->slot->process, LEVEL_SPOOL_FILES, spool->count);
	for (uint32_t i = 0; i < spool->count; i++)
		if (oldest_us == 0 || spool->parts[i].waits_since_us < oldest_us)
			oldest_us = spool->parts[i].waits_since_us;
	writer_set_spool_oldest_us(spool->slot, oldest_us);
}
