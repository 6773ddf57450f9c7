/*
 * Seals, checks and reads records. A record from the ring or a file is untrusted until record_check() has passed it;
 * then its lengths are consistent.
 */
#include "event/record.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"

#define CRC_START offsetof(struct record, version)

/* The tenant's id, followed by the strings and the data. */
static const char *
bytes_of(const struct record *record)
{
	return (const char *)(record->string_bytes + record->strings);
}

/* Offset of that string from bytes_of(). */
static size_t
string_offset(const struct record *record, unsigned which)
{
	size_t sum = record->tenant_bytes;

	for (unsigned i = 0; i < which; i++)
		if (record->string_bytes[i] != RECORD_NULL)
			sum += record->string_bytes[i];
	return sum;
}

/* Head and bytes, without padding. */
static size_t
used_bytes(const struct record *record)
{
	return RECORD_HEAD_BYTES + record->strings * sizeof record->string_bytes[0] +
	       string_offset(record, record->strings) + record->data_bytes;
}

static size_t
padded(size_t used)
{
	return (used + 7) & ~(size_t)7;
}

size_t
record_seal(struct record *record)
{
	size_t used = used_bytes(record), length = padded(used);

	assert(length <= UINT32_MAX);
	record->length = (uint32_t)length;
	record->version = RECORD_VERSION;
	memset((char *)record + used, 0, length - used);
	record->crc32c = crc32c((const char *)record + CRC_START, length - CRC_START);
	return length;
}

/* The strings of that kind today; 0: unknown kind. */
static unsigned
strings_of(uint8_t kind)
{
	switch (kind) {
	case RECORD_HOOK_EVENT:
		return RECORD_STRINGS;
	case RECORD_PUBLISHED:
		return PUBLISHED_STRINGS;
	default:
		return 0;
	}
}

size_t
record_claims(const void *bytes, size_t available)
{
	const struct record *record = bytes;

	if (available < sizeof *record || record->version != RECORD_VERSION ||
	    record->strings > strings_of(record->kind) ||
	    available < RECORD_HEAD_BYTES + record->strings * sizeof record->string_bytes[0])
		return 0;
	return padded(used_bytes(record)) == record->length ? record->length : 0;
}

bool
record_check(const void *bytes, size_t available)
{
	const struct record *record = bytes;
	size_t length = record_claims(bytes, available);

	return length > 0 && length <= available &&
	       record->crc32c == crc32c((const char *)bytes + CRC_START, length - CRC_START);
}

struct span
record_tenant(const struct record *record)
{
	return (struct span){bytes_of(record), record->tenant_bytes};
}

struct span
record_tenant_name(const struct record *record)
{
	static const char name[] = RECORD_DEFAULT_TENANT;

	return record->tenant_bytes > 0 ? record_tenant(record) : (struct span){name, sizeof name - 1};
}

static struct span
string_at(const struct record *record, unsigned which)
{
	if (which >= record->strings || record->string_bytes[which] == RECORD_NULL)
		return (struct span){NULL, 0};
	return (struct span){bytes_of(record) + string_offset(record, which), record->string_bytes[which]};
}

struct span
record_string(const struct record *record, enum record_string which)
{
	return string_at(record, which);
}

struct span
record_published_string(const struct record *record, enum published_string which)
{
	return string_at(record, which);
}

struct span
record_data(const struct record *record)
{
	return (struct span){bytes_of(record) + string_offset(record, record->strings), record->data_bytes};
}
