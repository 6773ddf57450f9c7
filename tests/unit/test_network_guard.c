/* The network guard: which socket addresses the requests of an endpoint may go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "api/network_guard.h"

static bool
allowed(const char *list, const char *text)
{
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct networks networks;

	assert_true(networks_read(list, &networks));
	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return network_allowed(&networks, (const struct sockaddr *)&ipv4);
	assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
	return network_allowed(&networks, (const struct sockaddr *)&ipv6);
}

/* Each network by its first and its last address, and the addresses next to it. */
static void
test_networks_that_are_not_public_are_refused_to_their_last_address(void **state)
{
	static const char *const refused[] = {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0",
	    "100.127.255.255", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254",
	    "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255",
	    "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7",
	    "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255", "::", "::1", "::2",
	    "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1", "::8.8.8.8", "ff::1",
	    "64:ff9a::1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe",
	    "64:ff9b::1:0:808:808", "64:ff9b:1::808:808", "64:ff9b:ffff::1", "100::1", "100::ffff:ffff:ffff:ffff",
	    "200::1", "1fff::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1", "2001:10::1",
	    "2001:20::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "2001:db8:ffff::1", "2002::1",
	    "2002:7f00:1::", "2002:808:808::1", "3fff::1", "3fff:fff:ffff::1", "4000::1", "5f00::1", "fc00::1",
	    "fd12:3456::1", "fdff:ffff::1", "fe80::1", "fe80::5efe:7f00:1", "febf::1", "fec0::1", "ff00::1", "ff02::1",
	    "ffff::1"};
	static const char *const public[] = {"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
	    "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255",
	    "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
	    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0",
	    "203.0.112.255", "203.0.114.0", "223.255.255.255", "64:ff9b::8.8.8.8", "2000::1", "2001:200::1",
	    "2001:db7:ffff::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111",
	    "2a00:1450:4001::1", "3ffe:ffff::1", "3fff:1000::1"};

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (allowed(NULL, refused[i]))
			fail_msg("%s is allowed", refused[i]);
	for (size_t i = 0; i < sizeof public / sizeof *public; i++)
		if (!allowed(NULL, public[i]))
			fail_msg("%s is refused", public[i]);
}

static void
test_listed_networks_are_allowed_in_each_form_of_their_addresses(void **state)
{
	assert_true(allowed("10.1.0.0/16", "10.1.2.3"));
	assert_false(allowed("10.1.0.0/16", "10.2.0.0"));
	assert_true(allowed("10.1.0.0/16", "::ffff:10.1.2.3"));
	assert_true(allowed("10.1.0.0/16", "64:ff9b::10.1.2.3"));
	assert_false(allowed("10.1.0.0/16", "64:ff9b::10.2.2.3"));
	assert_false(allowed("10.1.0.0/16", "2002:a01:203::1"));
	assert_true(allowed("loopback", "127.1.2.3"));
	assert_true(allowed("loopback", "::1"));
	assert_false(allowed("loopback", "10.0.0.1"));
	assert_true(allowed("private", "fd00::1"));
	assert_false(allowed("private", "fe80::1"));
	assert_false(allowed("private", "169.254.169.254"));
	assert_true(allowed("64:ff9b::/96", "64:ff9b::10.2.2.3"));
	assert_true(allowed("0.0.0.0/0", "169.254.169.254"));
	assert_true(allowed("::/0", "fe80::1"));
	assert_true(allowed("private", "8.8.8.8"));
}

static void
test_an_address_of_another_family_is_refused(void **state)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct networks networks;

	assert_true(networks_read("0.0.0.0/0,::/0", &networks));
	assert_false(network_allowed(&networks, (const struct sockaddr *)&local));
	assert_false(network_allowed(&networks, &none));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_networks_that_are_not_public_are_refused_to_their_last_address),
	    cmocka_unit_test(test_listed_networks_are_allowed_in_each_form_of_their_addresses),
	    cmocka_unit_test(test_an_address_of_another_family_is_refused),
	};

	return cmocka_run_group_tests_name("network_guard", tests, NULL, NULL);
}
