/* JSON objects that are written member by member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json_object.h"

static void
test_members_are_in_order_and_nulls_are_left_out(void **state)
{
	static const uint8_t id[16] = {0x01, 0x23, [15] = 0xff};
	struct bytes out = {0};
	struct json_object object;

	bytes_add_text(&out, "before ");
	object = json_object_begin(&out);
	json_object_add_text(&object, "nothing", NULL);
	json_object_add_text(&object, "text", "a \"quote\"\n");
	json_object_add(&object, "null", (struct span){NULL, 0});
	json_object_add(&object, "empty", (struct span){"", 0});
	json_object_add_uuid(&object, "id", id);
	json_object_add_time(&object, "time", 1);
	json_object_add_json(&object, "data", (struct span){"{\"n\":1}", 7});
	json_object_end(&object);
	bytes_add(&out, "", 1);
	assert_string_equal(out.base, "before {\"text\":\"a \\\"quote\\\"\\n\",\"empty\":\"\","
				      "\"id\":\"01230000-0000-0000-0000-0000000000ff\","
				      "\"time\":\"1970-01-01T00:00:00.000001Z\",\"data\":{\"n\":1}}");
	bytes_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members_are_in_order_and_nulls_are_left_out),
	};

	return cmocka_run_group_tests_name("json_object", tests, NULL, NULL);
}
