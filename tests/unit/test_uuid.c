/* Ids: the forms that are read, version 5 against another implementation, and the order and the fields of version 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/uuid.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const uint8_t sample[16] = {
    0x55,
    0x0e,
    0x84,
    0x00,
    0xe2,
    0x9b,
    0x41,
    0xd4,
    0xa7,
    0x16,
    0x44,
    0x66,
    0x55,
    0x44,
    0x00,
    0xef,
};

/* Parses memory of exactly the text's size, so that the address sanitizer sees a byte read too far. */
static bool
parse(const char *text, size_t len, uint8_t id[16])
{
	char *copy = malloc(len > 0 ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ok = uuid_parse(copy, len, id);
	free(copy);
	return ok;
}

static void
test_a_uuid_is_read_in_its_usual_forms(void **state)
{
	static const char *const forms[] = {
	    "550e8400-e29b-41d4-a716-4466554400ef",
	    "550E8400-E29B-41D4-A716-4466554400EF",
	    "550e8400-E29B-41d4-A716-4466554400eF",
	    "550e8400e29b41d4a7164466554400ef",
	    "550E8400E29B41D4A7164466554400EF",
	    "{550e8400-e29b-41d4-a716-4466554400ef}",
	    "{550e8400e29b41d4a7164466554400ef}",
	    "urn:uuid:550e8400-e29b-41d4-a716-4466554400ef",
	    "URN:UUID:550E8400-e29b-41d4-a716-4466554400ef",
	    "urn:uuid:550e8400e29b41d4a7164466554400ef",
	};

	for (size_t i = 0; i < COUNT(forms); i++) {
		uint8_t id[16] = {0};

		assert_true(parse(forms[i], strlen(forms[i]), id));
		assert_memory_equal(id, sample, 16);
		/* Every beginning and every longer text is something else. */
		for (size_t len = 0; len < strlen(forms[i]); len++)
			assert_false(parse(forms[i], len, id));
		assert_false(parse(forms[i], strlen(forms[i]) + 1, id));
	}
}

static void
test_other_text_is_refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    "x",
	    "{}",
	    "urn:uuid:",
	    "550e8400-e29b-41d4-a716-4466554400eg",
	    "g50e8400-e29b-41d4-a716-4466554400ef",
	    "550e8400-e29b-41d4-a716-4466554400e-",
	    "550e8400e29b41d4a7164466554400e",
	    "550e8400e29b-41d4-a716-4466554400ef0",
	    "550e840-0e29b-41d4-a716-4466554400ef",
	    "550e8400-e29b-41d4-a7164-466554400ef",
	    "550e8400e29b-41d4a716-4466554400ef",
	    "550e8400_e29b_41d4_a716_4466554400ef",
	    "550e8400 e29b 41d4 a716 4466554400ef",
	    "{550e8400-e29b-41d4-a716-4466554400ef",
	    "550e8400-e29b-41d4-a716-4466554400ef}",
	    "(550e8400-e29b-41d4-a716-4466554400ef)",
	    "{{550e8400-e29b-41d4-a716-4466554400ef}}",
	    "urn:uuid:{550e8400-e29b-41d4-a716-4466554400ef}",
	    "{urn:uuid:550e8400-e29b-41d4-a716-4466554400ef}",
	    "uuid:550e8400-e29b-41d4-a716-4466554400ef",
	    " 550e8400-e29b-41d4-a716-4466554400ef",
	    "550e8400-e29b-41d4-a716-4466554400ef ",
	    "0x0e8400-e29b-41d4-a716-4466554400ef",
	    "\303\2510e8400-e29b-41d4-a716-4466554400ef",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t id[16];

		memset(id, 0x5a, sizeof id);
		if (parse(texts[i], strlen(texts[i]), id))
			fail_msg("accepted: %s", texts[i]);
		for (int j = 0; j < 16; j++)
			assert_int_equal(id[j], 0x5a);
	}
}

static void
test_a_uuid_is_written_in_its_standard_form(void **state)
{
	char text[37];
	uint8_t id[16];

	memset(text, '#', sizeof text);
	format_uuid(sample, text);
	assert_memory_equal(text, "550e8400-e29b-41d4-a716-4466554400ef#", 37);
	for (int i = 0; i < 256; i++) {
		uint8_t in[16];

		for (int j = 0; j < 16; j++)
			in[j] = (uint8_t)(i * 31 + j * 17);
		format_uuid(in, text);
		assert_true(uuid_parse(text, 36, id));
		assert_memory_equal(id, in, 16);
	}
}

/* The expected ids are Python's: uuid.uuid5(uuid.UUID("c2794c55-9d05-48fc-abc1-80f365c3efcd"), text). */
static void
test_version_5_has_the_values_of_another_implementation(void **state)
{
	static const struct {
		const char *text;
		const char *id;
	} cases[] = {
	    {"evt-1", "55bb5a8d-d654-57ab-99fb-723dfe323172"},
	    {"evt-2", "8521e6c3-578e-5e21-9189-fd65626160cf"},
	    {"", "d2d5a064-1d63-57a9-98ef-301b3f8479e2"},
	    {"a", "5328781b-3ebf-52ee-a60d-9af4cd2a4753"},
	    {"toolu_01A09q90qw90lq917835lq9", "a81ac3a3-7f7d-50b9-a784-676764d08e1e"},
	    {"550e8400-e29b-41d4-a716-4466554400eX", "c61c3ebb-3139-58fb-832f-2bbcfb2433ec"},
	    {"caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80", "92cef984-fce2-59f2-8de4-a652900706f6"},
	};
	char long_text[1020], text[36];
	uint8_t id[16];

	for (size_t i = 0; i < COUNT(cases); i++) {
		uuid_v5(uuid_client_ids, cases[i].text, strlen(cases[i].text), id);
		format_uuid(id, text);
		assert_memory_equal(text, cases[i].id, 36);
	}
	memset(long_text, 'x', sizeof long_text);
	uuid_v5(uuid_client_ids, long_text, sizeof long_text, id);
	format_uuid(id, text);
	assert_memory_equal(text, "16905c4c-f37b-5182-b417-3ba2177576fd", 36);
}

/* A FIPS policy refuses SHA-1 to programs that ask a provider of OpenSSL for it. */
static void
test_version_5_works_under_a_fips_policy(void **state)
{
	assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
	assert_null(EVP_MD_fetch(NULL, "SHA1", NULL));
	test_version_5_has_the_values_of_another_implementation(state);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
}

static uint64_t
milliseconds(const uint8_t id[16])
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id[i];
	return ms;
}

static void
test_version_7_has_the_time_and_its_fields(void **state)
{
	static const int64_t instants[] = {0, 1, 999, 1000, 1700000000123456, 1717245296999999, 253402300799999999};
	struct uuid_source source;

	for (size_t i = 0; i < COUNT(instants); i++) {
		uint8_t id[16];

		uuid_source_init(&source);
		uuid_v7(&source, instants[i], id);
		assert_int_equal(milliseconds(id), instants[i] / 1000);
		assert_int_equal(id[6] >> 4, 7);
		assert_int_equal(id[8] >> 6, 2);
		/* The next 12 bits are the fraction of the millisecond. The very first tick is never given. */
		assert_int_equal((id[6] & 0x0f) << 8 | id[7], i == 0 ? 1 : instants[i] % 1000 * 4096 / 1000);
	}
}

static void
test_version_7_ascends_whatever_the_clock_does(void **state)
{
	/* Standing still, going on, jumping back, before the epoch, forward again. */
	static const int64_t steps[] = {0, 1, 0, -5000000, 3, 0, 0, 1000, -1, 250};
	struct uuid_source source;
	uint8_t last[16] = {0}, id[16];
	int64_t now = 1700000000000000;

	uuid_source_init(&source);
	for (int i = 0; i < 20000; i++) {
		now += steps[(size_t)i % COUNT(steps)];
		uuid_v7(&source, i == 10000 ? INT64_MIN : now, id);
		assert_true(memcmp(id, last, 16) > 0);
		assert_int_equal(id[6] >> 4, 7);
		assert_int_equal(id[8] >> 6, 2);
		memcpy(last, id, 16);
	}
	/* However many ids are made at one instant, their times stay near the clock. */
	assert_true(milliseconds(id) - 1700000000000 < 10000);
}

/* The random half differs between ids and between sources of the same instant. */
static void
test_the_first_id_of_an_instant_precedes_all_others_of_it(void **state)
{
	static struct uuid_source source;
	uint8_t before[16], id[16], behind[16];

	uuid_source_init(&source);
	for (int64_t ms = 1767225599990; ms < 1767225600010; ms++) {
		uuid_v7(&source, ms * 1000 + 999, id);
		uuid_v7_first(ms, before);
		uuid_v7_first(ms + 1, behind);
		assert_true(memcmp(before, id, sizeof id) < 0);
		assert_true(memcmp(id, behind, sizeof id) < 0);
	}
}

static void
test_version_7_has_random_bits(void **state)
{
	enum { IDS = 2000 };
	static uint64_t tails[2 * IDS];
	struct uuid_source a, b;
	uint64_t ones = 0, zeros = 0;

	uuid_source_init(&a);
	uuid_source_init(&b);
	for (size_t i = 0; i < 2 * IDS; i++) {
		uint8_t id[16];

		uuid_v7(i % 2 == 0 ? &a : &b, 1700000000000000, id);
		memcpy(&tails[i], id + 8, 8);
		ones |= tails[i];
		zeros |= ~tails[i];
		for (size_t j = 0; j < i; j++)
			assert_true(tails[j] != tails[i]);
	}
	/* Every bit but the two of the variant has both values. */
	assert_int_equal(__builtin_popcountll(ones & zeros), 62);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_uuid_is_read_in_its_usual_forms),
	    cmocka_unit_test(test_other_text_is_refused),
	    cmocka_unit_test(test_a_uuid_is_written_in_its_standard_form),
	    cmocka_unit_test(test_version_5_has_the_values_of_another_implementation),
	    cmocka_unit_test(test_version_5_works_under_a_fips_policy),
	    cmocka_unit_test(test_version_7_has_the_time_and_its_fields),
	    cmocka_unit_test(test_version_7_ascends_whatever_the_clock_does),
	    cmocka_unit_test(test_the_first_id_of_an_instant_precedes_all_others_of_it),
	    cmocka_unit_test(test_version_7_has_random_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
