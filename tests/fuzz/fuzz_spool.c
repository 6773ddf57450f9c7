/*
 * Arbitrary bytes as a spool file. The target puts right checksums in where lengths let a record or the header pass,
 * because chance would not find them. The first byte of an input says into which records. For every input:
 *
 *   - the header names no place outside of the file;
 *   - runs follow each other without a gap up to the end of the file, and each is records or damage;
 *   - every record of a run passes its check, and they fill the run;
 *   - no whole record begins in damage;
 *   - the name of a file that is accepted is the one that its numbers make.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "event/record_v1.h"
#include "tests/fuzz/target.h"
#include "writer/spool_file.h"
#include "writer/spool_reader.h"

static int file = -1;
static struct spool_reader reader;

static void
put_checksums(char *bytes, size_t size, uint8_t which)
{
	const size_t start = 2 * sizeof(uint32_t);
	uint32_t crc;

	if (size >= sizeof(struct spool_header)) {
		crc = crc32c(bytes, offsetof(struct spool_header, crc32c));
		memcpy(bytes + offsetof(struct spool_header, crc32c), &crc, sizeof crc);
	}
	for (size_t at = sizeof(struct spool_header), n = 0; at < size; n++) {
		size_t claim = record_claims(bytes + at, size - at);

		if (claim == 0)
			claim = record_v1_claims(bytes + at, size - at);
		if (claim == 0 || claim > size - at || (which >> n % 8 & 1) == 0) {
			at += 8;
			continue;
		}
		crc = crc32c(bytes + at + start, claim - start);
		memcpy(bytes + at + sizeof(uint32_t), &crc, sizeof crc);
		at += claim;
	}
}

static void
check_damage(const char *bytes, size_t size)
{
	for (uint64_t at = reader.from; at < reader.to; at += 8)
		assert(!record_check(bytes + at, size - at) && !record_v1_check(bytes + at, size - at));
}

static void
check_records(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < reader.count; i++) {
		const struct record *record = reader.records[i];
		const char *begin = (const char *)record, *end = begin + record->length;
		struct span data = record_data(record);

		assert(record_check(record, record->length));
		assert(data.base >= begin && data.base + data.len <= end);
		bytes += record->length;
	}
	/* A record of version 1 is at least as long as the one that it becomes. */
	assert(reader.count > 0 && bytes <= reader.to - reader.from);
}

static void
read_file(const char *bytes, size_t size)
{
	struct spool_header header;
	struct error err;
	int rc = spool_header_read(file, size, &header, &err);
	uint64_t at = header.done;

	assert(rc == 0 || rc == SPOOL_HEADER_DAMAGED);
	assert(rc != 0 || (header.done <= size && header.done_events <= header.events));
	if (size < sizeof header)
		return;
	assert(at % 8 == 0 && at >= sizeof header);
	while (at < size) {
		assert(spool_read_at(&reader, file, at, size, &err) == 0);
		assert(reader.from == at && reader.to > at && reader.to <= size);
		if (reader.damaged) {
			assert(reader.count == 0);
			check_damage(bytes, size);
		} else {
			check_records();
		}
		at = reader.to;
	}
	assert(spool_read_at(&reader, file, size, size, &err) == 0 && reader.count == 0 && !reader.damaged);
}

static void
check_name(const uint8_t *data, size_t size)
{
	char name[SPOOL_NAME_MAX] = "", again[SPOOL_NAME_MAX];
	struct spool_id id;

	memcpy(name, data, size < sizeof name - 1 ? size : sizeof name - 1);
	if (!spool_file_parse_name(name, &id))
		return;
	spool_file_name(id, again);
	assert(strcmp(name, again) == 0 && spool_id_compare(id, id) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes;

	if (size < 2)
		return 0;
	check_name(data + 1, size - 1);
	if (file < 0)
		file = memfd_create("spool", MFD_CLOEXEC);
	size--;
	bytes = malloc(size);
	assert(file >= 0 && bytes != NULL);
	memcpy(bytes, data + 1, size);
	put_checksums(bytes, size, data[0]);
	assert(ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size);
	read_file(bytes, size);
	free(bytes);
	return 0;
}
