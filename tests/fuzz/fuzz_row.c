/*
 * Events as rows of PostgreSQL: events of arbitrary bodies (the first byte of an input is even), or arbitrary bytes as
 * a record, into which the target puts a right checksum. For every input:
 *
 *   - COPY's data is what its header says: so many columns in a row, and every value as long as its length says;
 *   - ids, times, texts and nulls are those of the record;
 *   - data is the record's, except that escapes that jsonb cannot hold are replaced, and it is still JSON;
 *   - an array of an INSERT has the same bytes as the column of COPY.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "event/scan.h"
#include "ingest/decode.h"
#include "store/postgres/row_encode.h"
#include "tests/fuzz/target.h"

#define EPOCH_DAYS 10957 /* from 1970-01-01 to 2000-01-01 */
#define DAY_US (INT64_C(86400) * 1000000)

static const char signature[] = "PGCOPY\n\377\r\n"; /* and a NUL */

/* ---- reading the bytes of COPY ---- */

struct reader {
	const char *at, *end;
};

static uint64_t
take_number(struct reader *from, size_t bytes)
{
	uint64_t value = 0;

	assert((size_t)(from->end - from->at) >= bytes);
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | (uint8_t)*from->at++;
	return value;
}

/* base is NULL for null. */
static struct span
take_value(struct reader *from)
{
	uint32_t len = (uint32_t)take_number(from, 4);
	struct span value = {from->at, len};

	if (len == UINT32_MAX)
		return (struct span){NULL, 0};
	assert(len <= (size_t)(from->end - from->at));
	from->at += len;
	return value;
}

static int64_t
number_of(struct span value)
{
	struct reader reader = {value.base, value.base + value.len};
	uint64_t number = take_number(&reader, value.len);

	return value.len == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
}

/* ---- the expected values ---- */

static void
check_text(struct span value, struct span text)
{
	assert((value.base == NULL) == (text.base == NULL) && value.len == text.len);
	assert(text.base == NULL || memcmp(value.base, text.base, text.len) == 0);
}

static void
check_times(const struct span *values, const struct record *record)
{
	int64_t day = record->timestamp_us / DAY_US - (record->timestamp_us % DAY_US < 0);

	assert(values[ROW_TIMESTAMP].len == 8 && values[ROW_RECEIVED_AT].len == 8 && values[ROW_CREATED_DATE].len == 4);
	assert((uint64_t)number_of(values[ROW_TIMESTAMP]) ==
	       (uint64_t)record->timestamp_us - (uint64_t)(EPOCH_DAYS * DAY_US));
	assert((uint64_t)number_of(values[ROW_RECEIVED_AT]) ==
	       (uint64_t)record->received_us - (uint64_t)(EPOCH_DAYS * DAY_US));
	assert(number_of(values[ROW_CREATED_DATE]) == (int32_t)(day - EPOCH_DAYS));
}

static bool
scans(struct span text, struct json *value)
{
	struct scan scan;

	return scan_begin(&scan, text.base, text.len) && scan_value(&scan, value) && scan_finish(&scan);
}

static void
check_data(struct span value, const struct record *record)
{
	struct span data = record_data(record), jsonb = {value.base + 1, value.len - 1};
	struct json before, after;

	assert(value.len == data.len + 1 && value.base[0] == 1);
	if ((record->flags & RECORD_UNSAFE_ESCAPES) == 0)
		assert(memcmp(jsonb.base, data.base, data.len) == 0);
	else if (scans(data, &before))
		assert(scans(jsonb, &after) && after.type == before.type && !after.unsafe);
}

static void
check_row(struct reader *from, const struct record *record, uint32_t columns, struct span values[ROW_COLUMNS])
{
	assert(take_number(from, 2) == columns);
	for (uint32_t i = 0; i < columns; i++)
		values[i] = take_value(from);
	check_text(values[ROW_EVENT_ID], (struct span){(const char *)record->event_id, sizeof record->event_id});
	check_times(values, record);
#define CHECK_TEXT(symbol, ...) check_text(values[ROW_##symbol], record_string(record, RECORD_##symbol));
	HOOK_EVENT_FIELDS(CHECK_TEXT, NO_FIELD, NO_FIELD)
	check_data(values[ROW_DATA], record);
	if (columns == ROW_COLUMNS)
		check_text(values[ROW_TENANT_ID], record_tenant_name(record));
}

static void
check_array(enum row_column column, const struct record *record, struct span value)
{
	struct bytes out = {0};
	struct reader reader;

	row_array(&out, column, &record, 1);
	reader = (struct reader){out.base, out.base + out.len};
	assert(take_number(&reader, 4) == 1 && take_number(&reader, 4) == 1);
	(void)take_number(&reader, 4); /* the type */
	assert(take_number(&reader, 4) == 1 && take_number(&reader, 4) == 1);
	check_text(take_value(&reader), value);
	assert(reader.at == reader.end);
	bytes_free(&out);
}

static void
check_record(const struct record *record)
{
	uint32_t columns = row_columns(&record, 1);
	struct span values[ROW_COLUMNS];
	struct bytes out = {0};
	struct reader reader;

	row_copy_begin(&out);
	row_copy(&out, record, columns);
	row_copy_end(&out);
	reader = (struct reader){out.base, out.base + out.len};
	assert(out.len > sizeof signature && memcmp(out.base, signature, sizeof signature) == 0);
	reader.at += sizeof signature;
	assert(take_number(&reader, 4) == 0 && take_number(&reader, 4) == 0);
	check_row(&reader, record, columns, values);
	assert(take_number(&reader, 2) == UINT16_MAX && reader.at == reader.end);
	for (uint32_t i = 0; i < columns; i++)
		check_array((enum row_column)i, record, values[i]);
	bytes_free(&out);
}

static void
take_body(struct span body)
{
	static struct uuid_source ids;
	static struct decode_result result;
	const struct decode_env env = {.max_event_bytes = 1 << 20,
	    .max_events = 100,
	    .now_us = 1717245296123456,
	    .timestamp_us = 1717245296123456,
	    .ids = &ids};
	size_t capacity = 8 * body.len + 64;
	char *out = malloc(capacity);

	assert(out != NULL);
	memset(&ids, 0, sizeof ids);
	if (decode_body(body, BODY_ARRAY, &env, (struct decode_space){out, capacity}, &result) == DECODE_OK) {
		size_t at = 0;

		for (uint32_t i = 0; i < result.events; i++) {
			const struct record *record = (const struct record *)(const void *)(out + at);

			check_record(record);
			at += record->length;
		}
	}
	free(out);
}

static void
take_record(const uint8_t *data, size_t size)
{
	const size_t start = 2 * sizeof(uint32_t);
	char *bytes = malloc(size > 0 ? size : 1);
	size_t length;

	assert(bytes != NULL);
	memcpy(bytes, data, size);
	length = record_claims(bytes, size);
	if (length > 0 && length <= size && ((struct record *)(void *)bytes)->kind == RECORD_HOOK_EVENT) {
		uint32_t crc = crc32c(bytes + start, length - start);

		memcpy(bytes + sizeof(uint32_t), &crc, sizeof crc);
		check_record((const struct record *)(void *)bytes);
	}
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		take_body((struct span){(const char *)data + 1, size - 1});
	else
		take_record(data + 1, size - 1);
	return 0;
}
