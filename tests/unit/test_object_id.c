/* Ids of the objects that the API makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "control/object_id.h"

#define IDS 5000

static void *
make_ids(void *to)
{
	char(*ids)[OBJECT_ID_BYTES] = to;

	for (int i = 0; i < IDS; i++)
		object_id_make(ids[i]);
	return NULL;
}

static void
test_ids_of_one_thread_ascend_and_no_two_threads_share_one(void **state)
{
	static char ids[2][IDS][OBJECT_ID_BYTES];
	pthread_t other;
	int at[2] = {0, 0};

	assert_int_equal(pthread_create(&other, NULL, make_ids, ids[1]), 0);
	make_ids(ids[0]);
	assert_int_equal(pthread_join(other, NULL), 0);
	for (int t = 0; t < 2; t++)
		for (int i = 1; i < IDS; i++)
			assert_true(strcmp(ids[t][i - 1], ids[t][i]) < 0);
	while (at[0] < IDS && at[1] < IDS) {
		int order = strcmp(ids[0][at[0]], ids[1][at[1]]);

		assert_int_not_equal(order, 0);
		at[order < 0 ? 0 : 1]++;
	}
	assert_int_equal(strlen(ids[0][0]), 36);
	assert_int_equal(ids[0][0][14], '7');
}

static void
test_an_id_is_read_in_any_case_and_other_text_is_refused(void **state)
{
	static const char *const wrong[] = {"", "x", "0190f5fe-7c00-7a00-8abc-012345678ab",
	    "0190f5fe-7c00-7a00-8abc-012345678abcd", "0190f5fe-7c00-7a00-8abc-012345678abg",
	    "0190f5fe/7c00-7a00-8abc-012345678abc", "*", "%", "' OR 1=1 --"};
	char id[OBJECT_ID_BYTES];

	assert_true(object_id_read((struct span){"0190F5FE-7C00-7A00-8ABC-012345678ABC", 36}, id));
	assert_string_equal(id, "0190f5fe-7c00-7a00-8abc-012345678abc");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (object_id_read((struct span){wrong[i], strlen(wrong[i])}, id))
			fail_msg("%s is accepted", wrong[i]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_of_one_thread_ascend_and_no_two_threads_share_one),
	    cmocka_unit_test(test_an_id_is_read_in_any_case_and_other_text_is_refused),
	};

	return cmocka_run_group_tests_name("object_id", tests, NULL, NULL);
}
