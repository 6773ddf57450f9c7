/*
 * The record format and its checksum. Includes the source of the checksum, so that the path with tables is tested on
 * CPUs with an instruction for it too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crc32c.c"
#include "event/record.h"
#include "tests/unit/lane_fixture.h"

static uint32_t
by_table(const void *bytes, size_t len)
{
	return ~crc32c_table(UINT32_MAX, bytes, len);
}

/* The definition, bit by bit. Only its polynomial could be wrong, and the vectors check that. */
static uint32_t
by_definition(const unsigned char *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	while (len-- > 0) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
	}
	return ~crc;
}

/* RFC 3720, appendix B.4. */
static void
test_crc32c_has_the_values_of_the_rfc(void **state)
{
	unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
	static const unsigned char read10[48] = {
	    0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
	const struct {
		const unsigned char *bytes;
		size_t len;
		uint32_t crc;
	} vectors[] = {
	    {zeros, 32, 0x8a9136aa},
	    {ones, 32, 0x62a8ab43},
	    {up, 32, 0x46dd794e},
	    {down, 32, 0x113fdb5c},
	    {read10, 48, 0xd9963a56},
	    {(const unsigned char *)"123456789", 9, 0xe3069283},
	    {zeros, 0, 0},
	};

	memset(ones, 0xff, sizeof ones);
	for (unsigned char i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = 31 - i;
	}
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		assert_int_equal(crc32c(vectors[i].bytes, vectors[i].len), vectors[i].crc);
		assert_int_equal(by_table(vectors[i].bytes, vectors[i].len), vectors[i].crc);
		assert_int_equal(by_definition(vectors[i].bytes, vectors[i].len), vectors[i].crc);
	}
}

static void
require_paths_agree(const unsigned char *bytes, size_t len)
{
	uint32_t crc = by_definition(bytes, len);

	assert_int_equal(crc32c(bytes, len), crc);
	assert_int_equal(by_table(bytes, len), crc);
}

/* Every path, every length up to several words, every alignment; then lengths that need more thirds. */
static void
test_all_implementations_of_crc32c_agree(void **state)
{
	const size_t thirds = (size_t)3 * 8 * THIRD_WORDS_MAX;
	struct dice dice = {seed_for("test_record")};
	static unsigned char bytes[3 * 3 * 8 * THIRD_WORDS_MAX];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)dice_roll(&dice);
	for (size_t at = 0; at < 8; at++)
		for (size_t len = 0; len <= 200; len++)
			require_paths_agree(bytes + at, len);
	for (size_t len = thirds - 30; len <= thirds + 30; len++) {
		require_paths_agree(bytes, len);
		require_paths_agree(bytes, len + thirds);
	}
	for (int i = 0; i < 200; i++)
		require_paths_agree(bytes, dice_below(&dice, sizeof bytes));
}

/* A record under construction, with room for the longest strings. The room is exact: sanitizers see a byte too many. */
struct draft {
	struct record *record;
	char *at; /* where the next string or the data goes */
	size_t used;
};

static struct draft
draft_new(size_t variable_bytes)
{
	struct draft draft = {.record = malloc(record_size(variable_bytes))};

	assert_non_null(draft.record);
	memset(draft.record, 0xee, record_size(variable_bytes)); /* a ring is never cleared */
	draft.at = record_begin(draft.record);
	for (int i = 0; i < RECORD_STRINGS; i++)
		draft.record->string_bytes[i] = RECORD_NULL;
	draft.record->data_bytes = 0;
	draft.record->flags = 0;
	memcpy(draft.record->event_id, "0123456789abcdef", 16);
	draft.record->timestamp_us = INT64_MIN;
	draft.record->received_us = INT64_MAX;
	return draft;
}

/* Adds strings in their order, then data. */
static void
draft_string(struct draft *draft, enum record_string which, const char *text, size_t len)
{
	draft->record->string_bytes[which] = (uint16_t)len;
	memcpy(draft->at + draft->used, text, len);
	draft->used += len;
}

static void
draft_data(struct draft *draft, const char *text, size_t len)
{
	draft->record->data_bytes = (uint32_t)len;
	memcpy(draft->at + draft->used, text, len);
	draft->used += len;
}

static void
assert_span(struct span span, const char *text, size_t len)
{
	assert_non_null(span.base);
	assert_int_equal(span.len, len);
	assert_memory_equal(span.base, text, len);
}

static struct record *
typical_record(void)
{
	struct draft draft = draft_new(47);

	draft_string(&draft, RECORD_EVENT_TYPE, "session_started", 15);
	draft_string(&draft, RECORD_SESSION_ID, "test-123", 8);
	draft_string(&draft, RECORD_WORKFLOW_ID, "", 0);
	draft_string(&draft, RECORD_PHASE_ID, "ph\0se", 5);
	draft_data(&draft, "{\"tool\":\"bash\",\"n\":1.0}", 19);
	draft.record->flags = RECORD_UNSAFE_ESCAPES;
	assert_int_equal(record_seal(draft.record), 112);
	return draft.record;
}

static void
test_a_record_is_read_as_it_was_written(void **state)
{
	struct record *r = typical_record();

	assert_true(record_check(r, 112));
	assert_int_equal(r->length, 112);
	assert_int_equal(r->version, RECORD_VERSION);
	assert_int_equal(r->flags, RECORD_UNSAFE_ESCAPES);
	assert_memory_equal(r->event_id, "0123456789abcdef", 16);
	assert_true(r->timestamp_us == INT64_MIN && r->received_us == INT64_MAX);
	assert_int_equal(r->kind, RECORD_HOOK_EVENT);
	assert_int_equal(record_tenant(r).len, 0);
	assert_null(record_string(r, RECORD_CLIENT_EVENT_ID).base);
	assert_span(record_string(r, RECORD_EVENT_TYPE), "session_started", 15);
	assert_span(record_string(r, RECORD_SESSION_ID), "test-123", 8);
	assert_span(record_string(r, RECORD_WORKFLOW_ID), "", 0); /* empty is not null */
	assert_span(record_string(r, RECORD_PHASE_ID), "ph\0se", 5);
	assert_null(record_string(r, RECORD_MILESTONE_ID).base);
	assert_span(record_data(r), "{\"tool\":\"bash\",\"n\":1.0}", 19);
	for (size_t i = RECORD_CLAIM_BYTES + 47; i < 112; i++)
		assert_int_equal(((const char *)r)[i], 0); /* padding */
	free(r);
}

/* Every kind of record has a tenant. That of a hook event is the default one so far. */
static void
test_a_record_has_a_tenant(void **state)
{
	struct draft draft = draft_new(9);

	draft.record->tenant_bytes = 4;
	draft.used = 4;
	memcpy(draft.at, "acme", 4);
	draft_string(&draft, RECORD_SESSION_ID, "s-1", 3);
	draft_data(&draft, "{}", 2);
	assert_true(record_check(draft.record, record_seal(draft.record)));
	assert_span(record_tenant(draft.record), "acme", 4);
	assert_span(record_string(draft.record, RECORD_SESSION_ID), "s-1", 3);
	assert_span(record_data(draft.record), "{}", 2);
	free(draft.record);
}

/* A record that was written before the last fields were added. */
static void
test_a_record_with_fewer_strings_is_read(void **state)
{
	struct draft draft = draft_new(3);

	draft.record->strings = 2;
	draft.at = (char *)(draft.record->string_bytes + 2);
	draft.record->string_bytes[RECORD_EVENT_TYPE] = 1;
	draft.record->string_bytes[RECORD_SESSION_ID] = RECORD_NULL;
	draft.record->data_bytes = 2;
	memcpy(draft.at, "t{}", 3);

	size_t length = record_seal(draft.record);

	assert_int_equal(length, 64); /* 50 + 2 * 2 + 3, padded */
	assert_true(record_check(draft.record, length));
	assert_span(record_string(draft.record, RECORD_EVENT_TYPE), "t", 1);
	for (int i = RECORD_SESSION_ID; i < RECORD_STRINGS; i++)
		assert_null(record_string(draft.record, (enum record_string)i).base);
	assert_span(record_data(draft.record), "{}", 2);
	free(draft.record);
}

static void
test_a_record_without_strings_and_data_is_read(void **state)
{
	struct draft draft = draft_new(0);

	assert_int_equal(record_seal(draft.record), record_size(0));
	assert_true(record_check(draft.record, record_size(0)));
	for (int i = 0; i < RECORD_STRINGS; i++)
		assert_null(record_string(draft.record, (enum record_string)i).base);
	assert_int_equal(record_data(draft.record).len, 0);
	free(draft.record);
}

/* The longest strings that a length can describe, and every amount of padding. */
static void
test_the_longest_strings_are_read(void **state)
{
	enum { LONGEST = RECORD_NULL - 1 };
	char *text = malloc(LONGEST);

	assert_non_null(text);
	for (size_t data = 0; data < 8; data++) {
		struct draft draft = draft_new(RECORD_STRINGS * (size_t)LONGEST + data);
		size_t length = record_size(RECORD_STRINGS * (size_t)LONGEST + data);

		for (int i = 0; i < RECORD_STRINGS; i++) {
			memset(text, 'a' + i, LONGEST);
			draft_string(&draft, (enum record_string)i, text, LONGEST);
		}
		draft_data(&draft, "ABCDEFG", data);
		assert_int_equal(record_seal(draft.record), length);
		assert_true(record_check(draft.record, length));
		assert_false(record_check(draft.record, length - 1));
		for (int i = 0; i < RECORD_STRINGS; i++) {
			memset(text, 'a' + i, LONGEST);
			assert_span(record_string(draft.record, (enum record_string)i), text, LONGEST);
		}
		assert_span(record_data(draft.record), "ABCDEFG", data);
		free(draft.record);
	}
	free(text);
}

/* Records follow each other in a parcel. Each has the length to the next one. */
static void
test_a_check_covers_one_record_alone(void **state)
{
	struct record *one = typical_record();
	char *two = malloc(224);

	assert_non_null(two);
	memcpy(two, one, 112);
	memcpy(two + 112, one, 112);
	assert_true(record_check(two, 224));
	assert_true(record_check(two + ((struct record *)(void *)two)->length, 112));
	two[112 + 70] ^= 1;
	assert_true(record_check(two, 224));
	assert_false(record_check(two + 112, 112));
	free(two);
	free(one);
}

static void
test_every_flipped_bit_is_noticed(void **state)
{
	struct record *r = typical_record();
	unsigned char *bytes = (unsigned char *)r;

	for (size_t bit = 0; bit < 112 * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_false(record_check(r, 112));
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_true(record_check(r, 112));
	free(r);
}

/* Each time the bytes are in memory of exactly that size, so that a sanitizer sees a read past its end. */
static void
test_truncated_records_are_refused(void **state)
{
	struct record *r = typical_record();

	for (size_t len = 0; len < 112; len++) {
		char *cut = malloc(len + (len == 0));

		assert_non_null(cut);
		memcpy(cut, r, len);
		assert_false(record_check(cut, len));
		free(cut);
	}
	free(r);
}

/* A head with wrong lengths and the right checksum: the lengths alone must be refused. */
static void
reseal(struct record *r, size_t length)
{
	r->crc32c = crc32c((const char *)r + 8, length - 8);
}

static void
test_wrong_lengths_are_refused(void **state)
{
	static const uint32_t lengths[] = {
	    0, 1, 7, 8, 56, 63, 64, 96, 104, 111, 113, 116, 119, 120, 1 << 20, INT32_MAX, UINT32_MAX - 7, UINT32_MAX};
	/* 15 to 22 bytes of data make the same length. Only the checksum can show a change among them. */
	static const uint32_t data_bytes[] = {0, 14, 23, 28, 1 << 20, INT32_MAX, UINT32_MAX - 7, UINT32_MAX};
	static const uint16_t string_bytes[] = {23, 100, UINT16_MAX - 1};
	struct record *r = typical_record();

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		r->length = lengths[i];
		if (lengths[i] >= 8 && lengths[i] <= 112)
			reseal(r, lengths[i]);
		assert_false(record_check(r, 112));
	}
	r->length = 112;
	for (size_t i = 0; i < sizeof data_bytes / sizeof *data_bytes; i++) {
		r->data_bytes = data_bytes[i];
		reseal(r, 112);
		assert_false(record_check(r, 112));
	}
	r->data_bytes = 19;
	for (int which = 0; which < RECORD_STRINGS; which++) {
		uint16_t honest = r->string_bytes[which];

		for (size_t i = 0; i < sizeof string_bytes / sizeof *string_bytes; i++) {
			r->string_bytes[which] = string_bytes[i];
			reseal(r, 112);
			assert_false(record_check(r, 112));
		}
		r->string_bytes[which] = honest;
	}
	for (int version = 0; version < 256; version++) {
		r->version = (uint8_t)version;
		reseal(r, 112);
		assert_true(record_check(r, 112) == (version == RECORD_VERSION));
	}
	r->version = RECORD_VERSION;
	for (int kind = 0; kind < 256; kind++) {
		r->kind = (uint8_t)kind;
		reseal(r, 112);
		assert_true(record_check(r, 112) == (kind == RECORD_HOOK_EVENT || kind == RECORD_PUBLISHED));
	}
	r->kind = RECORD_HOOK_EVENT;
	for (int strings = RECORD_STRINGS + 1; strings < 256; strings++) {
		r->strings = (uint8_t)strings;
		reseal(r, 112);
		assert_false(record_check(r, 112));
	}
	free(r);
}

/* Random bytes: the lengths agree by design, so that only the checksum can refuse them. */
static void
test_random_bytes_are_refused(void **state)
{
	struct dice dice = {seed_for("test_record")};
	struct record *r = typical_record();
	uint64_t *words = (uint64_t *)(void *)r;

	for (int i = 0; i < 20000; i++) {
		for (int w = 0; w < 14; w++)
			words[w] = dice_roll(&dice);
		assert_false(record_check(r, 112));
		r->length = 112;
		r->version = RECORD_VERSION;
		(void)record_begin(r);
		for (int s = 0; s < RECORD_STRINGS; s++)
			r->string_bytes[s] = RECORD_NULL;
		r->data_bytes = 50;
		assert_false(record_check(r, 112));
	}
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_crc32c_has_the_values_of_the_rfc),
	    cmocka_unit_test(test_all_implementations_of_crc32c_agree),
	    cmocka_unit_test(test_a_record_is_read_as_it_was_written),
	    cmocka_unit_test(test_a_record_has_a_tenant),
	    cmocka_unit_test(test_a_record_with_fewer_strings_is_read),
	    cmocka_unit_test(test_a_record_without_strings_and_data_is_read),
	    cmocka_unit_test(test_the_longest_strings_are_read),
	    cmocka_unit_test(test_a_check_covers_one_record_alone),
	    cmocka_unit_test(test_every_flipped_bit_is_noticed),
	    cmocka_unit_test(test_truncated_records_are_refused),
	    cmocka_unit_test(test_wrong_lengths_are_refused),
	    cmocka_unit_test(test_random_bytes_are_refused),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
