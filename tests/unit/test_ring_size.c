/* The least size of the ring file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "shm/ring_size.h"

static void
test_each_lane_holds_the_largest_request(void **state)
{
	const struct config config = {
	    .acceptors = 4, .writers = 2, .max_body_bytes = 1 << 20, .max_batch_events = 10000};

	const struct ring_need need = ring_need(&config);

	assert_int_equal(need.bytes, 8 * ((1 << 20) + 10000 * 128 + 65536) + (1 << 20));
	assert_string_equal(need.lanes, "8 lanes (4 acceptors x 2 writers)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_lane_holds_the_largest_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
