/* What clients have: against a plain list of it, and what shares come to when one client, or several, want all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/holdings.h"
#include "tests/unit/lane_fixture.h"

#define CLIENTS 200

/* Many of these have the same last bits, and so the same first cell. */
static uint64_t
client(uint32_t number)
{
	return (uint64_t)(number % 7) | (uint64_t)(number + 1) << 32;
}

static void
test_every_client_has_what_it_was_given_and_not_lost(void **state)
{
	struct holdings holdings = {0};
	struct dice dice = {seed_for("holdings")};
	uint64_t amounts[CLIENTS] = {0};

	for (uint32_t step = 0; step < 20000; step++) {
		uint32_t number = dice_below(&dice, CLIENTS);
		uint64_t amount = dice_below(&dice, 5);

		if (dice_below(&dice, 2) == 0) {
			holdings_add(&holdings, client(number), amount);
			amounts[number] += amount;
		} else {
			if (amount > amounts[number] || dice_below(&dice, 4) == 0)
				amount = amounts[number];
			holdings_take(&holdings, client(number), amount);
			amounts[number] -= amount;
		}
		if (step % 100 == 0)
			for (uint32_t i = 0; i < CLIENTS; i++)
				assert_int_equal(holdings_of(&holdings, client(i)), amounts[i]);
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		holdings_take(&holdings, client(i), amounts[i]);
	assert_int_equal(holdings.used, 0);
	assert_true(holdings.size <= 4 * CLIENTS);
	free(holdings.cells);
}

static void
test_nobody_has_anything_at_first(void **state)
{
	const struct holdings holdings = {0};

	assert_int_equal(holdings_of(&holdings, 1), 0);
}

/* So many clients take one after the other, each as much as it may. Returns what is left. */
static uint64_t
left_by(uint32_t clients)
{
	struct holdings holdings = {0};
	uint64_t available = 90000;

	for (bool any = true; any;) {
		any = false;
		for (uint32_t i = 0; i < clients; i++)
			if (available > 0 && holdings_allow(holdings_of(&holdings, client(i)), available)) {
				holdings_add(&holdings, client(i), 1);
				available--;
				any = true;
			}
	}
	free(holdings.cells);
	return available;
}

static void
test_something_is_left_however_many_want_all(void **state)
{
	assert_in_range(left_by(1), 9990, 10010); /* a ninth */
	assert_in_range(left_by(2), 5280, 5310); /* a seventeenth */
	assert_in_range(left_by(100), 100, 120);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_client_has_what_it_was_given_and_not_lost),
	    cmocka_unit_test(test_nobody_has_anything_at_first),
	    cmocka_unit_test(test_something_is_left_however_many_want_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
