/* Reads and writes names and headers of spool files. */
#include "writer/spool_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/files.h"

int
spool_id_compare(struct spool_id a, struct spool_id b)
{
	if (a.sequence != b.sequence)
		return a.sequence < b.sequence ? -1 : 1;
	return a.writer < b.writer ? -1 : a.writer > b.writer;
}

void
spool_file_name(struct spool_id id, char out[SPOOL_NAME_MAX])
{
	(void)snprintf(out, SPOOL_NAME_MAX, "spool-%02" PRIu32 "-%012" PRIu64 ".bin", id.writer, id.sequence);
}

bool
spool_file_parse_name(const char *name, struct spool_id *id)
{
	char again[SPOOL_NAME_MAX];

	if (sscanf(name, "spool-%2" SCNu32 "-%18" SCNu64 ".bin", &id->writer, &id->sequence) != 2)
		return false;
	spool_file_name(*id, again);
	return strcmp(name, again) == 0;
}

void
spool_damaged_name(struct spool_id id, int64_t time_us, uint64_t offset, char out[SPOOL_NAME_MAX])
{
	int len = snprintf(out, SPOOL_NAME_MAX, SPOOL_DAMAGED_PREFIX "%02" PRIu32 "-%012" PRIu64 "-%" PRId64, id.writer,
	    id.sequence, time_us);

	if (offset > 0)
		len += snprintf(out + len, SPOOL_NAME_MAX - (size_t)len, "-%" PRIu64, offset);
	(void)snprintf(out + len, SPOOL_NAME_MAX - (size_t)len, ".bin");
}

void
spool_header_advance(struct spool_header *header, uint64_t done, uint64_t done_events)
{
	header->done = done;
	header->done_events = done_events;
	if (header->end < done)
		header->end = done;
	if (header->events < done_events)
		header->events = (uint32_t)done_events;
}

bool
spool_header_catch_up(struct spool_header *header, const struct spool_progress *known, uint64_t size)
{
	if (known->created_us != header->created_us || known->done <= header->done || known->done > size ||
	    known->done % 8 != 0)
		return false;
	spool_header_advance(header, known->done, known->done_events);
	return true;
}

int
spool_header_write(int fd, struct spool_header *header, struct error *err)
{
	memcpy(header->magic, SPOOL_MAGIC, sizeof header->magic);
	header->version = SPOOL_VERSION;
	header->crc32c = crc32c(header, offsetof(struct spool_header, crc32c));
	if (files_write_at(fd, header, sizeof *header, 0) != 0)
		return error_errno(err, "cannot write the header of a spool file");
	return 0;
}

int
spool_header_read(int fd, uint64_t size, struct spool_header *header, struct error *err)
{
	bool whole = size >= sizeof *header;

	if (whole && files_read_at(fd, header, sizeof *header, 0) != 0)
		return error_errno(err, "cannot read the header of a spool file");
	if (whole && memcmp(header->magic, SPOOL_MAGIC, sizeof header->magic) == 0 &&
	    header->version == SPOOL_VERSION &&
	    header->crc32c == crc32c(header, offsetof(struct spool_header, crc32c)) && header->done % 8 == 0 &&
	    header->done >= sizeof *header && header->done <= size && header->done_events <= header->events)
		return 0;
	*header = (struct spool_header){.done = sizeof *header};
	return SPOOL_HEADER_DAMAGED;
}
