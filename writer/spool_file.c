/* Names, headers and reading of the spool's files. What is read is hostile until record_check() has passed it. */
#include "writer/spool_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/files.h"
#include "base/mem.h"

/* What is held in memory of a file of any size, but for a single record that is larger. */
#define READ_BYTES ((size_t)8 << 20)
#define READ_RECORDS 16384

void
spool_file_name(uint32_t writer, uint64_t sequence, char out[SPOOL_NAME_MAX])
{
	(void)snprintf(out, SPOOL_NAME_MAX, "spool-%02" PRIu32 "-%012" PRIu64 ".bin", writer, sequence);
}

bool
spool_file_parse_name(const char *name, uint32_t *writer, uint64_t *sequence)
{
	char again[SPOOL_NAME_MAX];

	if (sscanf(name, "spool-%2" SCNu32 "-%18" SCNu64 ".bin", writer, sequence) != 2)
		return false;
	spool_file_name(*writer, *sequence, again);
	return strcmp(name, again) == 0;
}

int
spool_header_write(int fd, struct spool_header *header, struct error *err)
{
	memcpy(header->magic, SPOOL_MAGIC, sizeof header->magic);
	header->version = SPOOL_VERSION;
	header->crc32c = crc32c(header, offsetof(struct spool_header, crc32c));
	ssize_t n = pwrite(fd, header, sizeof *header, 0);
	if (n == (ssize_t)sizeof *header)
		return 0;
	if (n >= 0)
		errno = ENOSPC;
	return error_errno(err, "cannot write the header of a spool file");
}

int
spool_header_read(int fd, uint64_t size, struct spool_header *header, struct error *err)
{
	ssize_t n = pread(fd, header, sizeof *header, 0);

	if (n < 0)
		return error_errno(err, "cannot read the header of a spool file");
	if (n == (ssize_t)sizeof *header && memcmp(header->magic, SPOOL_MAGIC, sizeof header->magic) == 0 &&
	    header->version == SPOOL_VERSION &&
	    header->crc32c == crc32c(header, offsetof(struct spool_header, crc32c)) && header->done % 8 == 0 &&
	    header->done >= sizeof *header && header->done <= size && header->done_events <= header->events)
		return 0;
	*header = (struct spool_header){.done = sizeof *header};
	return SPOOL_HEADER_DAMAGED;
}

static int
fill(struct spool_reader *reader, int fd, uint64_t from, size_t bytes, struct error *err)
{
	if (bytes > reader->capacity) {
		free(reader->buffer);
		reader->buffer = mem_new(bytes, 1);
		reader->capacity = bytes;
	}
	if (files_read_at(fd, reader->buffer, bytes, (off_t)from) != 0)
		return error_errno(err, "cannot read a spool file");
	return 0;
}

static void
add(struct spool_reader *reader, const struct record *record)
{
	if (reader->count == reader->records_capacity) {
		reader->records_capacity = READ_RECORDS;
		reader->records = mem_resize(reader->records, READ_RECORDS, sizeof *reader->records);
	}
	reader->records[reader->count++] = record;
}

/* What stands at bytes: a record, none, or one that goes on behind the have bytes that are read of left in the file. */
enum found { FOUND_RECORD, FOUND_DAMAGE, FOUND_MORE };

static enum found
look(const char *bytes, size_t have, uint64_t left)
{
	size_t claim;

	if (have < sizeof(struct record))
		return have == left ? FOUND_DAMAGE : FOUND_MORE;
	claim = record_claims(bytes);
	if (claim == 0 || claim > left)
		return FOUND_DAMAGE;
	if (claim > have)
		return FOUND_MORE;
	return record_check(bytes, have) ? FOUND_RECORD : FOUND_DAMAGE;
}

int
spool_read_at(struct spool_reader *reader, int fd, uint64_t from, uint64_t size, struct error *err)
{
	uint64_t left = size - from;
	size_t have = left < READ_BYTES ? (size_t)left : READ_BYTES;
	size_t at = 0;
	enum found found;

	reader->from = reader->to = from;
	reader->count = 0;
	reader->damaged = false;
	if (have == 0)
		return 0;
	if (fill(reader, fd, from, have, err) != 0)
		return -1;
	found = look(reader->buffer, have, left);
	if (found == FOUND_MORE) {
		have = record_claims(reader->buffer);
		if (fill(reader, fd, from, have, err) != 0)
			return -1;
		found = look(reader->buffer, have, left);
	}
	reader->damaged = found == FOUND_DAMAGE;
	if (reader->damaged) {
		/* To the next place where a record stands, or seems to begin behind what is read. */
		do
			at += have - at < 8 ? have - at : 8;
		while (at < have && look(reader->buffer + at, have - at, left - at) == FOUND_DAMAGE);
	}
	while (found == FOUND_RECORD && reader->count < READ_RECORDS) {
		add(reader, (const struct record *)(reader->buffer + at));
		at += ((const struct record *)(reader->buffer + at))->length;
		found = at < have ? look(reader->buffer + at, have - at, left - at) : FOUND_MORE;
	}
	reader->to = from + at;
	return 0;
}

void
spool_reader_free(struct spool_reader *reader)
{
	free(reader->buffer);
	free(reader->records);
}
