/* The least size of the ring file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "shm/key_table.h"
#include "shm/ring_size.h"

static void
test_each_lane_holds_the_largest_request(void **state)
{
	const struct config config = {.acceptors = 4,
	    .writers = 2,
	    .max_body_bytes = 1 << 20,
	    .max_batch_events = 10000,
	    .hl_store = HL_STORE_OFF};

	const struct ring_need need = ring_need(&config);

	assert_int_equal(need.bytes, 8 * ((1 << 20) + 10000 * 128 + 65536) + (1 << 20));
	assert_string_equal(need.lanes, "8 lanes (4 acceptors x 2 writers)");
}

static void
test_the_api_needs_room_for_its_keys(void **state)
{
	struct config config = {.acceptors = 1, .writers = 1, .max_body_bytes = 1 << 20, .hl_store = HL_STORE_OFF};
	const struct ring_need without = ring_need(&config);

	config.hl_store = HL_STORE_EMBEDDED;
	assert_in_range(ring_need(&config).bytes - without.bytes, sizeof(struct key_table), 32 << 20);
	config.hl_store = HL_STORE_POSTGRES;
	assert_in_range(ring_need(&config).bytes - without.bytes, sizeof(struct key_table), 32 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_lane_holds_the_largest_request),
	    cmocka_unit_test(test_the_api_needs_room_for_its_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
