/* The ids of events: the client's own, made from its text, new ones. */
#include "base/format.h"
#include "tests/unit/decode_fixture.h"

static void
test_ids(void **state)
{
	char text[36];
	uint8_t id[16], again[16];

	/* A UUID in any usual form is the id itself; escapes do not matter. */
	static const char *const forms[] = {
	    "550e8400-e29b-41d4-a716-446655440000",
	    "550E8400E29B41D4A716446655440000",
	    "{550e8400-e29b-41d4-a716-446655440000}",
	    "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
	    "550e8400\\u002de29b-41d4-a716-446655440000",
	};

	for (size_t i = 0; i < COUNT(forms); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"event_id\":\"%s\"", forms[i]);
		assert_int_equal(decode_with(members), DECODE_OK);
		format_uuid(record_number(0)->event_id, text);
		assert_memory_equal(text, "550e8400-e29b-41d4-a716-446655440000", 36);
		assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	}

	/* Any other text is kept, and always maps to the same id. */
	assert_int_equal(decode_with(",\"event_id\":\"evt-1\""), DECODE_OK);
	assert_string(0, RECORD_CLIENT_EVENT_ID, "evt-1");
	uuid_v5("evt-1", 5, id);
	assert_memory_equal(record_number(0)->event_id, id, 16);
	assert_int_equal(decode_with(",\"event_id\":\"evt\\u002d1\""), DECODE_OK);
	assert_memory_equal(record_number(0)->event_id, id, 16);

	/* Nothing at all makes a new id each time. */
	assert_int_equal(decode_with(",\"event_id\":\"\""), DECODE_OK);
	assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	memcpy(id, record_number(0)->event_id, 16);
	assert_int_equal(id[6] >> 4, 7);
	assert_int_equal(decode_with(""), DECODE_OK);
	memcpy(again, record_number(0)->event_id, 16);
	assert_int_equal(again[6] >> 4, 7);
	assert_true(memcmp(again, id, 16) > 0);
}

/* Each such event gets an id of its own: clients write these into all events that have none. */
static void
test_placeholder_ids(void **state)
{
	static const char *const placeholders[] = {
	    "00000000-0000-0000-0000-000000000000",
	    "{00000000-0000-0000-0000-000000000000}",
	    "urn:uuid:00000000-0000-0000-0000-000000000000",
	    "00000000000000000000000000000000",
	    "0000000\\u0030-0000-0000-0000-000000000000",
	    "ffffffff-ffff-ffff-ffff-ffffffffffff",
	    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
	    "{FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF}",
	    "undefined",
	    "null",
	    "NULL",
	    "None",
	    "nil",
	    "<nil>",
	    "NaN",
	    "nan",
	    "(null)",
	    "[object Object]",
	    "\\u006eull",
	    " ",
	    " \\t\\r\\n ",
	};
	static const char *const own[] = {
	    "00000000-0000-0000-0000-000000000001",
	    "ffffffff-ffff-ffff-ffff-fffffffffffe",
	    "01010101-0101-0101-0101-010101010101",
	    "undefined1",
	    "Null",
	    "none",
	    " null",
	    "NONE",
	    "-",
	    "0",
	    "\\u0000",
	    "\xc2\xa0",
	};
	uint8_t last[16] = {0};

	for (size_t i = 0; i < COUNT(placeholders); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"event_id\":\"%s\"", placeholders[i]);
		assert_int_equal(decode_with(members), DECODE_OK);
		assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
		assert_int_equal(record_number(0)->event_id[6] >> 4, 7);
		assert_true(memcmp(record_number(0)->event_id, last, 16) > 0);
		memcpy(last, record_number(0)->event_id, 16);
	}
	for (size_t i = 0; i < COUNT(own); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"event_id\":\"%s\"", own[i]);
		assert_int_equal(decode_with(members), DECODE_OK);
		memcpy(last, record_number(0)->event_id, 16);
		assert_int_not_equal(last[6] >> 4, 7);
		assert_int_equal(decode_with(members), DECODE_OK);
		assert_memory_equal(record_number(0)->event_id, last, 16);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_ids, setup),
	    cmocka_unit_test_setup(test_placeholder_ids, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
