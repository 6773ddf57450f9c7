/* Reads records from spool files and skips damage. */
#include "writer/spool_reader.h"

#include <stdlib.h>

#include "base/files.h"
#include "base/mem.h"
#include "event/record_v1.h"

/* The most bytes that claims() looks at. */
#define CLAIM_BYTES (RECORD_CLAIM_BYTES > RECORD_V1_CLAIM_BYTES ? RECORD_CLAIM_BYTES : RECORD_V1_CLAIM_BYTES)

/* The most bytes of a file in memory; a single record may be larger. */
#define READ_BYTES ((size_t)8 << 20)
#define READ_RECORDS 16384

/* Reads `bytes` at that offset into the buffer, which grows as needed. Returns 0 or <0. */
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

/* The length that a record's head at bytes[0..available) claims, in either version, or 0. */
static size_t
claims(const char *bytes, size_t available)
{
	size_t claim = record_claims(bytes, available);

	return claim > 0 ? claim : record_v1_claims(bytes, available);
}

/* The checked record at offset `at` of the buffer, converted if it is of version 1. */
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
 * Classifies the bytes, of which `have` are read and `left` are in the file. FOUND_MORE: perhaps the beginning of a
 * record that is not read whole.
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

/* The length of the damage at the buffer's beginning: up to the next record, or the next possible beginning of one. */
static size_t
skip_damage(const struct spool_reader *reader, size_t have, uint64_t left)
{
	size_t at = 0;

	do
		at += have - at < 8 ? have - at : 8;
	while (at < have && classify(reader->buffer + at, have - at, left - at) == FOUND_DAMAGE);
	return at;
}

/* Adds the records at the buffer's beginning; returns their length. */
static size_t
add_records(struct spool_reader *reader, size_t have, uint64_t left)
{
	size_t at = 0;

	while (reader->count < READ_RECORDS && at < have &&
	       classify(reader->buffer + at, have - at, left - at) == FOUND_RECORD) {
		add_record(reader, record_at(reader, at));
		at += claims(reader->buffer + at, have - at);
	}
	return at;
}

int
spool_read_at(struct spool_reader *reader, int fd, uint64_t from, uint64_t size, struct error *err)
{
	uint64_t left = size - from;
	size_t have = left < READ_BYTES ? (size_t)left : READ_BYTES;
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
	reader->to = from + (reader->damaged ? skip_damage(reader, have, left) : add_records(reader, have, left));
	return 0;
}

void
spool_reader_free(struct spool_reader *reader)
{
	free(reader->buffer);
	free(reader->converted);
	free(reader->records);
}
