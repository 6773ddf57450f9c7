/* Names, headers and reading of the spool's files. */
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
#include "event/record_v1.h"

/* The most bytes that claims() looks at. */
#define CLAIM_BYTES (RECORD_CLAIM_BYTES > RECORD_V1_CLAIM_BYTES ? RECORD_CLAIM_BYTES : RECORD_V1_CLAIM_BYTES)

/* The most that is held in memory of a file of any size; a single record may be larger. */
#define READ_BYTES ((size_t)8 << 20)
#define READ_RECORDS 16384

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

/* Reads bytes at that offset into the buffer, which grows as needed. Returns 0 or <0. */
static int
fill(struct spool_reader *reader, int fd, uint64_t from, size_t bytes, struct error *err)
{
	if (bytes > reader->capacity) {
		free(reader->buffer);
		free(reader->converted);
		reader->buffer = mem_new(bytes, 1);
		reader->converted = NULL;
		reader->capacity = bytes;
	}
	if (files_read_at(fd, reader->buffer, bytes, (off_t)from) != 0)
		return error_errno(err, "cannot read a spool file");
	return 0;
}

/* The record of either version at bytes[0..available): the length that its head claims, or 0. */
static size_t
claims(const char *bytes, size_t available)
{
	size_t claim = record_claims(bytes, available);

	return claim > 0 ? claim : record_v1_claims(bytes, available);
}

/* The checked record at the offset `at` of the buffer, as a record of today. */
static const struct record *
record_at(struct spool_reader *reader, size_t at)
{
	if (record_v1_claims(reader->buffer + at, reader->capacity - at) == 0)
		return (const struct record *)(reader->buffer + at);
	if (reader->converted == NULL)
		reader->converted = mem_new(reader->capacity, 1);
	(void)record_from_v1(reader->buffer + at, reader->converted + at);
	return (const struct record *)(reader->converted + at);
}

static void
add_record(struct spool_reader *reader, const struct record *record)
{
	if (reader->count == reader->records_capacity) {
		reader->records_capacity = READ_RECORDS;
		reader->records = mem_resize(reader->records, READ_RECORDS, sizeof *reader->records);
	}
	reader->records[reader->count++] = record;
}

enum found { FOUND_RECORD, FOUND_DAMAGE, FOUND_MORE };

/*
 * What stands at bytes, of which have are read and left are in the file. FOUND_MORE: a record may begin there and go on
 * behind what is read.
 */
static enum found
classify(const char *bytes, size_t have, uint64_t left)
{
	size_t claim;

	if (have < CLAIM_BYTES && have < left)
		return FOUND_MORE;
	claim = claims(bytes, have);
	if (claim == 0 || claim > left)
		return FOUND_DAMAGE;
	if (claim > have)
		return FOUND_MORE;
	return record_check(bytes, have) || record_v1_check(bytes, have) ? FOUND_RECORD : FOUND_DAMAGE;
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
	found = classify(reader->buffer, have, left);
	if (found == FOUND_MORE) {
		have = claims(reader->buffer, have);
		if (fill(reader, fd, from, have, err) != 0)
			return -1;
		found = classify(reader->buffer, have, left);
	}
	reader->damaged = found == FOUND_DAMAGE;
	if (reader->damaged) {
		/* Up to the next record, or to the next place where one may begin that is not read whole. */
		do
			at += have - at < 8 ? have - at : 8;
		while (at < have && classify(reader->buffer + at, have - at, left - at) == FOUND_DAMAGE);
	}
	while (found == FOUND_RECORD && reader->count < READ_RECORDS) {
		add_record(reader, record_at(reader, at));
		at += claims(reader->buffer + at, have - at);
		found = at < have ? classify(reader->buffer + at, have - at, left - at) : FOUND_MORE;
	}
	reader->to = from + at;
	return 0;
}

void
spool_reader_free(struct spool_reader *reader)
{
	free(reader->buffer);
	free(reader->converted);
	free(reader->records);
}
