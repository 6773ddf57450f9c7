/* The ids of events: the client's own, ids made from its text, and new ones. */
#include "base/format.h"
#include "ingest/event_id.h"
#include "tests/unit/decode_fixture.h"

static void
test_an_id_is_a_uuid_or_made_from_the_clients_text(void **state)
{
	char text[36];
	uint8_t id[16], again[16];

	/* A UUID in any usual form is the id, with escapes or without. */
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
	uuid_v5(uuid_client_ids, "evt-1", 5, id);
	assert_memory_equal(record_number(0)->event_id, id, 16);
	assert_int_equal(decode_with(",\"event_id\":\"evt\\u002d1\""), DECODE_OK);
	assert_memory_equal(record_number(0)->event_id, id, 16);

	/* Without text there is a new id each time. */
	assert_int_equal(decode_with(",\"event_id\":\"\""), DECODE_OK);
	assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	memcpy(id, record_number(0)->event_id, 16);
	assert_int_equal(id[6] >> 4, 7);
	assert_int_equal(decode_with(""), DECODE_OK);
	memcpy(again, record_number(0)->event_id, 16);
	assert_int_equal(again[6] >> 4, 7);
	assert_true(memcmp(again, id, 16) > 0);
}

/* Clients write these ids into all their events that have none, so each event gets an id of its own. */
static void
test_placeholder_ids_are_replaced(void **state)
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
	    "<null>",
	    "(nil)",
	    "<no value>",
	    "%!s(<nil>)",
	    "0000000000000000",
	    "000000000000000000000000",
	    "00000000000000000000000000",
	    "000000000000000000000000000",
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
	    "000000000000000",
	    "0000000000000001",
	    "1111111111111111",
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

/* The expected ids are Python's: uuid.uuid5(uuid.UUID("7da0d4d4-f822-4102-924c-4a49413a7e02"), "chunk-1/3"). */
static void
test_ids_follow_from_the_idempotency_key_and_the_index(void **state)
{
	static const char body[] = "[{\"event_type\":\"t\",\"session_id\":\"s\"},"
				   "{\"event_type\":\"t\",\"session_id\":\"s\",\"event_id\":\"evt-1\"},{},"
				   "{\"event_type\":\"t\",\"session_id\":\"s\",\"event_id\":\"null\"}]";
	uint8_t id[16];
	char text[36];

	env.key = (struct span){"chunk-1", 7};
	env.lenient = true;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(decode_body((struct span){body, strlen(body)}, BODY_ARRAY, &env,
				     (struct decode_space){arena, sizeof arena}, &result),
		    DECODE_OK);
		assert_int_equal(result.events, 3);
		format_uuid(record_number(0)->event_id, text);
		assert_memory_equal(text, "02d9882c-b717-5c7c-91dd-344ddc429759", 36);
		assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
		uuid_v5(uuid_client_ids, "evt-1", 5, id);
		assert_memory_equal(record_number(1)->event_id, id, 16);
		/* The index counts all events of the request. */
		format_uuid(record_number(2)->event_id, text);
		assert_memory_equal(text, "3c651e20-da91-5e56-9779-b1d128e371a9", 36);
	}
	assert_int_equal(decode_with(""), DECODE_OK);
	event_id_of_key(env.key, 0, id);
	assert_memory_equal(record_number(0)->event_id, id, 16);
	event_id_of_key(env.key, UINT32_MAX, id);
	format_uuid(id, text);
	assert_memory_equal(text, "e9cf625f-1a0a-5848-8884-8ac02faa4661", 36);
}

/* The time of a request's events by its key, if that is a UUID of version 7. */
static void
test_the_time_follows_from_a_version_7_key(void **state)
{
	static const struct {
		const char *key;
		int64_t us;
	} cases[] = {
	    {"018fd3cb-bdfb-7a00-8abc-012345678abc", INT64_C(1717245296123000)},
	    {"{018FD3CB-BDFB-7A00-8ABC-012345678ABC}", INT64_C(1717245296123000)},
	    {"018fd3cb-bdfb-4a00-8abc-012345678abc", NOW_US}, /* version 4 */
	    {"018fd3cb-bdfb-7a00-8abc-012345678ab", NOW_US},
	    {"chunk-1", NOW_US},
	    {"018f0000-0000-7a00-8abc-012345678abc", NOW_US}, /* too old */
	    {"01900000-0000-7a00-8abc-012345678abc", NOW_US}, /* too new */
	    {"00000000-0000-7000-8000-000000000000", NOW_US},
	    {"ffffffff-ffff-7fff-bfff-ffffffffffff", NOW_US},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span key = {cases[i].key, strlen(cases[i].key)};

		if (event_time_of_key(key, NOW_US) != cases[i].us)
			fail_msg("%s: %ld", cases[i].key, (long)event_time_of_key(key, NOW_US));
	}
	env.timestamp_us = NOW_US - 1;
	assert_int_equal(decode_with(""), DECODE_OK);
	assert_true(record_number(0)->timestamp_us == NOW_US - 1);
	assert_true(record_number(0)->received_us == NOW_US);
	assert_int_equal(decode_with(",\"timestamp\":5"), DECODE_OK);
	assert_true(record_number(0)->timestamp_us == 5000000);
}

/* Two tenants may use the same texts and keys for different events. A UUID is the same id for both. */
static void
test_ids_of_texts_and_keys_differ_between_tenants(void **state)
{
	static const char *const tenants[] = {"", "acme", "globex", "acme"};
	static const char *const members[] = {",\"event_id\":\"order-17\"", ""};
	uint8_t made[2][4][16];

	for (int m = 0; m < 2; m++)
		for (int t = 0; t < 4; t++) {
			env.key = (struct span){"key", 3};
			env.tenant = (struct span){tenants[t], strlen(tenants[t])};
			assert_int_equal(decode_with(members[m]), DECODE_OK);
			memcpy(made[m][t], record_number(0)->event_id, 16);
			assert_int_equal(record_tenant(record_number(0)).len, strlen(tenants[t]));
			assert_memory_equal(record_tenant(record_number(0)).base, tenants[t], strlen(tenants[t]));
			assert_string(0, RECORD_CLIENT_EVENT_ID, m == 0 ? "order-17" : NULL);
		}
	for (int m = 0; m < 2; m++) {
		assert_memory_not_equal(made[m][0], made[m][1], 16);
		assert_memory_not_equal(made[m][1], made[m][2], 16);
		assert_memory_equal(made[m][1], made[m][3], 16);
	}
	assert_int_equal(decode_with(",\"event_id\":\"6f1f0b2e-9c0e-4d3f-8f55-6a2f0c7f9a01\""), DECODE_OK);
	assert_int_equal(record_number(0)->event_id[0], 0x6f);
	assert_int_equal(record_number(0)->event_id[15], 0x01);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_an_id_is_a_uuid_or_made_from_the_clients_text, setup),
	    cmocka_unit_test_setup(test_placeholder_ids_are_replaced, setup),
	    cmocka_unit_test_setup(test_ids_follow_from_the_idempotency_key_and_the_index, setup),
	    cmocka_unit_test_setup(test_the_time_follows_from_a_version_7_key, setup),
	    cmocka_unit_test_setup(test_ids_of_texts_and_keys_differ_between_tenants, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
