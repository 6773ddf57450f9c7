/*
 * Arbitrary bytes as records of both versions. The target puts a right checksum in where the lengths let a record pass,
 * because chance would not find it. For every input:
 *
 *   - tenant, strings and data of a record that passes lie inside it;
 *   - a record of version 1 that passes becomes one of this version that passes, and is no longer than it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "event/record.h"
#include "event/record_v1.h"
#include "tests/fuzz/target.h"

/* Both versions begin with the length and the checksum of everything after these two. */
static void
put_checksum(char *bytes, size_t length)
{
	const size_t start = 2 * sizeof(uint32_t);
	uint32_t crc = crc32c(bytes + start, length - start);

	memcpy(bytes + sizeof(uint32_t), &crc, sizeof crc);
}

static void
must_be_inside(const struct record *record, struct span span)
{
	const char *begin = (const char *)record;

	assert(span.base == NULL || (span.base >= begin && span.base + span.len <= begin + record->length));
}

static void
read_all(const struct record *record)
{
	must_be_inside(record, record_tenant(record));
	must_be_inside(record, record_data(record));
	for (int i = 0; i < RECORD_STRINGS; i++)
		must_be_inside(record, record_string(record, (enum record_string)i));
}

static void
convert(const char *bytes, size_t length)
{
	struct record *record = malloc(length);

	assert(record != NULL);
	assert(record_from_v1(bytes, record) <= length);
	assert(record_check(record, record->length));
	read_all(record);
	free(record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size > 0 ? size : 1);
	size_t length;

	assert(bytes != NULL);
	memcpy(bytes, data, size);
	length = record_claims(bytes, size);
	if (length > 0 && length <= size) {
		put_checksum(bytes, length);
		assert(record_check(bytes, size) && record_v1_claims(bytes, size) == 0);
		read_all((const struct record *)(void *)bytes);
	}
	length = record_v1_claims(bytes, size);
	if (length > 0 && length <= size) {
		put_checksum(bytes, length);
		assert(record_v1_check(bytes, size) && record_claims(bytes, size) == 0);
		convert(bytes, length);
	}
	free(bytes);
	return 0;
}
