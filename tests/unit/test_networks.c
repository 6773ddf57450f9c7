/* HL_ALLOW_NETWORKS: which lists are valid, and which addresses are in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "config/networks.h"

static bool
contains(const char *list, const char *text)
{
	uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
	struct networks networks;

	assert_true(networks_read(list, &networks));
	if (inet_pton(AF_INET6, text, address) != 1)
		assert_int_equal(inet_pton(AF_INET, text, address + 12), 1);
	return networks_contain(&networks, address);
}

static void
test_an_address_is_in_its_networks_and_in_no_other(void **state)
{
	assert_true(contains("10.1.0.0/16", "10.1.255.255"));
	assert_false(contains("10.1.0.0/16", "10.2.0.0"));
	assert_true(contains("10.1.2.3", "10.1.2.3"));
	assert_false(contains("10.1.2.3", "10.1.2.2"));
	assert_true(contains("192.0.2.0/31", "192.0.2.1"));
	assert_false(contains("192.0.2.0/31", "192.0.2.2"));
	assert_true(contains("0.0.0.0/0", "8.8.8.8"));
	assert_false(contains("0.0.0.0/0", "2001:db8::1"));
	assert_true(contains("fd00::/8, 10.0.0.0/8", "fd12::1"));
	assert_true(contains("fd00::/8, 10.0.0.0/8", "::ffff:10.9.9.9"));
	assert_false(contains("fd00::/9", "fd80::1"));
	assert_true(contains("loopback", "127.8.9.1"));
	assert_true(contains("loopback", "::1"));
	assert_false(contains("loopback", "::2"));
	assert_true(contains("private,loopback", "172.31.0.1"));
	assert_false(contains("private", "172.32.0.1"));
	assert_false(contains(NULL, "127.0.0.1"));
}

static void
test_other_text_is_refused(void **state)
{
	static const char *const wrong[] = {"", ",", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0/8", "fd00::/129",
	    "10.0.0.0/", "10.0.0.0/ 8", "10.0.0.0/+8", "10.0.0.0/08x", "example.com", "loopback/8",
	    "10.0.0.0/8 fd00::/8", "fe80::1%1"};
	char long_list[NETWORKS_MAX * 9 + 16] = "";

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (networks_valid(wrong[i]))
			fail_msg("%s is accepted", wrong[i]);
	for (int i = 0; i < NETWORKS_MAX; i++)
		(void)strcat(long_list, i == 0 ? "10.0.0.1" : ",10.0.0.1");
	assert_true(networks_valid(long_list));
	assert_false(networks_valid(strcat(long_list, ",10.0.0.1")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_address_is_in_its_networks_and_in_no_other),
	    cmocka_unit_test(test_other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
