/*
 * The record format: sealing, checking, reading. A record that comes from the ring or from a file is hostile until
 * record_check() has passed it; after that its inner lengths are known to agree.
 */
#include "event/record.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"

#define CRC_START offsetof(struct record, version)

static size_t
variable_bytes(const struct record *record)
{
	size_t sum = record->data_bytes;

	for (int i = 0; i < RECORD_STRINGS; i++)
		if (record->string_bytes[i] != RECORD_NULL)
			sum += record->string_bytes[i];
	return sum;
}

size_t
record_seal(struct record *record)
{
	size_t used = variable_bytes(record);
	size_t length = record_size(used);

	assert(length <= UINT32_MAX);
	record->length = (uint32_t)length;
	record->version = RECORD_VERSION;
	record->zero = 0;
	memset(record->bytes + used, 0, length - sizeof *record - used);
	record->crc32c = crc32c((const char *)record + CRC_START, length - CRC_START);
	return length;
}

size_t
record_claims(const void *bytes)
{
	const struct record *record = bytes;

	if (record->length < sizeof *record || record->length % 8 != 0 || record->version != RECORD_VERSION)
		return 0;
	return record_size(variable_bytes(record)) == record->length ? record->length : 0;
}

bool
record_check(const void *bytes, size_t available)
{
	const struct record *record = bytes;

	if (available < sizeof *record)
		return false;
	if (record_claims(bytes) == 0 || record->length > available)
		return false;
	return record->crc32c == crc32c((const char *)bytes + CRC_START, record->length - CRC_START);
}

struct span
record_string(const struct record *record, enum record_string which)
{
	size_t offset = 0;

	if (record->string_bytes[which] == RECORD_NULL)
		return (struct span){NULL, 0};
	for (int i = 0; i < (int)which; i++)
		if (record->string_bytes[i] != RECORD_NULL)
			offset += record->string_bytes[i];
	return (struct span){record->bytes + offset, record->string_bytes[which]};
}

struct span
record_data(const struct record *record)
{
	return (struct span){record->bytes + variable_bytes(record) - record->data_bytes, record->data_bytes};
}
