/*
 * The amounts that clients have, against a plain list, and what is left when one client, or several, want everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/client_amounts.h"
#include "tests/unit/lane_fixture.h"

#define CLIENTS 200

/* Many clients have the same last bits, and so the same first cell. */
static uint64_t
client(uint32_t number)
{
	return (uint64_t)(number % 7) | (uint64_t)(number + 1) << 32;
}

static void
test_every_client_has_what_it_took_and_did_not_give_back(void **state)
{
	struct client_amounts counted = {0};
	struct dice dice = {seed_for("client amounts")};
	uint64_t amounts[CLIENTS] = {0};

	for (uint32_t step = 0; step < 20000; step++) {
		uint32_t number = dice_below(&dice, CLIENTS);
		uint64_t amount = dice_below(&dice, 5);

		if (dice_below(&dice, 2) == 0) {
			client_amounts_add(&counted, client(number), amount);
			amounts[number] += amount;
		} else {
			if (amount > amounts[number] || dice_below(&dice, 4) == 0)
				amount = amounts[number];
			client_amounts_take(&counted, client(number), amount);
			amounts[number] -= amount;
		}
		if (step % 100 == 0)
			for (uint32_t i = 0; i < CLIENTS; i++)
				assert_int_equal(client_amounts_of(&counted, client(i)), amounts[i]);
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		client_amounts_take(&counted, client(i), amounts[i]);
	assert_int_equal(counted.used, 0);
	assert_true(counted.size <= 4 * CLIENTS);
	free(counted.cells);
}

static void
test_a_client_has_nothing_at_first(void **state)
{
	const struct client_amounts counted = {0};

	assert_int_equal(client_amounts_of(&counted, 1), 0);
}

/* So many clients take in turn, each as much as it may. Returns what is left. */
static uint64_t
left_by(uint32_t clients)
{
	struct client_amounts counted = {0};
	uint64_t available = 90000;

	for (bool any = true; any;) {
		any = false;
		for (uint32_t i = 0; i < clients; i++)
			if (available > 0 && client_amounts_allow(client_amounts_of(&counted, client(i)), available)) {
				client_amounts_add(&counted, client(i), 1);
				available--;
				any = true;
			}
	}
	free(counted.cells);
	return available;
}

static void
test_something_is_left_however_many_clients_want_everything(void **state)
{
	assert_in_range(left_by(1), 9990, 10010); /* a ninth */
	assert_in_range(left_by(2), 5280, 5310); /* a seventeenth */
	assert_in_range(left_by(100), 100, 120);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_client_has_what_it_took_and_did_not_give_back),
	    cmocka_unit_test(test_a_client_has_nothing_at_first),
	    cmocka_unit_test(test_something_is_left_however_many_clients_want_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
