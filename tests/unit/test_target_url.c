/* The URL of an endpoint: which URLs are accepted, and the errors for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/target_url.h"

static int
check(const char *allow, const char *text, struct error *err)
{
	struct networks networks;

	assert_true(networks_read(allow, &networks));
	return target_url_check((struct span){text, strlen(text)}, &networks, err);
}

static void
assert_taken(const char *allow, const char *const *urls, size_t count)
{
	struct error err;

	for (size_t i = 0; i < count; i++)
		if (check(allow, urls[i], &err) != 0)
			fail_msg("%s: %s", urls[i], err.text);
}

#define ASSERT_TAKEN(allow, ...)                                                                                       \
	do {                                                                                                           \
		static const char *const urls[] = {__VA_ARGS__};                                                       \
		assert_taken(allow, urls, sizeof urls / sizeof *urls);                                                 \
	} while (0)

static void
assert_refused(const char *why, const char *const *urls, size_t count)
{
	struct error err;

	for (size_t i = 0; i < count; i++) {
		if (check(NULL, urls[i], &err) == 0)
			fail_msg("%s is accepted", urls[i]);
		if (strstr(err.text, why) == NULL)
			fail_msg("%s: %s", urls[i], err.text);
	}
}

#define ASSERT_REFUSED(why, ...)                                                                                       \
	do {                                                                                                           \
		static const char *const urls[] = {__VA_ARGS__};                                                       \
		assert_refused(why, urls, sizeof urls / sizeof *urls);                                                 \
	} while (0)

static void
test_public_urls_are_accepted(void **state)
{
	ASSERT_TAKEN(NULL, "https://example.com", "http://example.com/", "HTTPS://Example.COM:8443/hook",
	    "https://example.com./a", "https://a_b.example.com", "https://xn--bcher-kva.example/",
	    "https://example.com?a", "https://example.com/a%20b?x=%2F&y=%3D+;&z=&", "https://example.com/user@host:80/",
	    "https://example.com/?a@b", "https://8.8.8.8/", "https://[2606:4700::1111]:443/x",
	    "http://[64:ff9b::8.8.8.8]/", "https://h:65535/", "https://h:1/", "https://1.example.com",
	    "https://0x7f.com", "https://example.com:00443/", "https://localhost.com/", "https://notlocalhost/",
	    "https://example.com/{a}|\"b\"<c>^`");
}

static void
test_other_schemes_and_forms_are_refused(void **state)
{
	ASSERT_REFUSED("is empty", "");
	ASSERT_REFUSED("must begin with", "ftp://example.com/", "example.com", "//example.com/", "file:///etc/passwd",
	    "gopher://example.com/", "http:/example.com", "http:example.com", "https:", "javascript:alert(1)",
	    "httpx://a/", "/hook");
	ASSERT_REFUSED("needs a host", "http://", "http:///path", "https://?a", "https://:80/", "https://[]/");
	ASSERT_REFUSED("port", "https://a:/", "https://a:0/", "https://a:65536", "https://a:99999999999999999999/",
	    "https://a:8x/", "https://a:-1/", "https://a:80:80/", "https://fe80::1/", "https://[2606:4700::1]:/");
	ASSERT_REFUSED("user name", "http://name:80@10.0.0.5/", "https://a@b", "https://a:b@c/", "https://@a/",
	    "https://a@@b/", "https://example.com:443@127.0.0.1/");
}

static void
test_the_error_names_the_place_of_a_wrong_byte(void **state)
{
	ASSERT_REFUSED("blank at byte 22", "https://example.com/a b");
	ASSERT_REFUSED("blank at byte 1,", " https://example.com/");
	ASSERT_REFUSED("blank at byte 21", "https://example.com/ ");
	ASSERT_REFUSED("control character at byte 21", "https://example.com/\r\nX: y", "https://example.com/\n",
	    "https://example.com/\t", "https://example.com/\x7f", "https://example.com/\x1b[0m");
	ASSERT_REFUSED("backslash at byte 9", "http://a\\@b/");
	ASSERT_REFUSED("beyond ASCII at byte 10", "https://b\xc3\xbc"
						  "cher.example/");
	ASSERT_REFUSED("beyond ASCII at byte 21", "https://example.com/\xe2\x82\xac", "https://example.com/\xff");
	ASSERT_REFUSED("beyond ASCII at byte 12", "https://127\xe3\x80\x82"
						  "0.0.1/");
	ASSERT_REFUSED("fragment (#) at byte 21", "https://example.com/#part", "https://example.com/#@b");
}

static void
test_a_nul_does_not_end_a_url(void **state)
{
	static const char url[] = "https://example.com/\0.evil";
	struct networks networks = {0};
	struct error err;

	assert_int_equal(target_url_check((struct span){url, sizeof url - 1}, &networks, &err), -1);
	assert_non_null(strstr(err.text, "control character at byte 21"));
}

static void
test_hosts_that_are_no_names_are_refused(void **state)
{
	ASSERT_REFUSED("characters other than", "https://a%40b/", "https://%6c%6fcalhost/", "https://a,b/",
	    "https://a*/", "https://a;b/", "https://1.2.3.4%00.example.com/");
	ASSERT_REFUSED("part that is empty", "https://a..b/", "https://.a/", "https://a../", "https://./",
	    "https://-a/", "https://a.-b/",
	    "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/");
	ASSERT_REFUSED("IPv6 address between", "https://[::1", "https://[::1]x/", "https://[1.2.3.4]/",
	    "https://[::gg]/", "https://[v1.a]/", "https://[::1]]/");
	ASSERT_REFUSED("ends like an IPv4 address", "https://256.256.256.256/", "https://1.2.3.4.5/",
	    "https://4294967296/", "https://0x1ffffffff/", "https://example.1/", "https://1.2.3.08/",
	    "https://127.0.0.0x/", "https://a.0x7f/");
	ASSERT_REFUSED("zone", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1%251]/");
}

static void
test_addresses_that_are_not_public_are_refused_in_each_spelling(void **state)
{
	ASSERT_REFUSED("HL_ALLOW_NETWORKS", "http://127.0.0.1/", "http://127.0.0.1./", "http://127.1/",
	    "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0X7F.0.0.1/", "http://0177.0.0.1/",
	    "http://017700000001/", "http://0/", "http://0.0.0.0:8080/", "http://10.0.0.1/",
	    "http://169.254.169.254/latest/meta-data/", "http://0xa9fea9fe/", "http://2852039166/",
	    "http://0251.0376.0251.0376/", "http://192.168.257/", "http://100.64.0.1/", "http://255.255.255.255/",
	    "http://[::]/", "http://[::1]/", "http://[0:0:0:0:0:0:0:1]:80/", "http://[::ffff:127.0.0.1]/",
	    "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[::ffff:0:10.0.0.1]/",
	    "http://[2002:7f00:1::]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::192.168.0.1]/",
	    "http://[fe80::1]/", "http://[fd00::1]/", "http://[2001:0:7f00:1::]/", "http://[fe80::5efe:127.0.0.1]/",
	    "http://localhost/", "http://LOCALHOST:8080", "http://localhost./", "http://a.localhost/");
}

static void
test_addresses_of_allowed_networks_are_accepted(void **state)
{
	struct error err;

	ASSERT_TAKEN("loopback", "http://127.0.0.1:8080/", "http://0x7f.1/", "http://[::1]/", "http://localhost/",
	    "http://a.localhost./", "http://[::ffff:127.0.0.1]/");
	ASSERT_TAKEN("127.0.0.1", "http://localhost/");
	ASSERT_TAKEN("private", "http://10.1.2.3/", "http://[fd00::1]/");
	assert_int_equal(check("10.0.0.0/8", "http://localhost/", &err), -1);
	assert_int_equal(check("loopback", "http://10.0.0.1/", &err), -1);
	assert_int_equal(check("loopback", "http://169.254.169.254/", &err), -1);
}

static void
test_the_length_of_a_url_is_limited(void **state)
{
	char url[TARGET_URL_BYTES_MAX + 2] = "https://example.com/";
	struct error err;

	memset(url + 20, 'a', TARGET_URL_BYTES_MAX - 20);
	assert_int_equal(check(NULL, url, &err), 0);
	url[TARGET_URL_BYTES_MAX] = 'a';
	assert_int_equal(check(NULL, url, &err), -1);
	assert_non_null(strstr(err.text, "2049 bytes"));
	memset(url + 8, 'a', 254);
	for (int i = 0; i < 254; i += 50)
		url[8 + i + 49] = '.';
	url[8 + 254] = '\0';
	assert_int_equal(check(NULL, url, &err), -1);
	assert_non_null(strstr(err.text, "1 to 253"));
}

static void
test_an_error_never_shows_the_url(void **state)
{
	struct error err;

	assert_int_equal(check(NULL, "http://127.0.0.1/s3cret?token=s3cret", &err), -1);
	assert_null(strstr(err.text, "s3cret"));
	assert_non_null(strstr(err.text, "127.0.0.1"));
	assert_int_equal(check(NULL, "http://s3cret:s3cret@127.0.0.1/", &err), -1);
	assert_null(strstr(err.text, "s3cret"));
}

static bool
is_inbox(const char *url, const char *public_url)
{
	struct target_url parts;
	struct error err;

	assert_int_equal(target_url_split((struct span){url, strlen(url)}, &parts, &err), 0);
	return target_url_is_inbox(&parts, public_url);
}

static void
test_the_services_own_inbox_is_recognised_by_path_and_host(void **state)
{
	static const char *const own[] = {"http://localhost:8080/v1/dev/inbox/receive/a1_-.b",
	    "https://app.localhost/v1/dev/inbox/receive/a", "http://127.0.0.1/v1/dev/inbox/receive/a",
	    "http://127.1:9/v1/dev/inbox/receive/a", "http://[::1]:8080/v1/dev/inbox/receive/a"};
	static const char *const other[] = {"http://localhost/v1/dev/inbox/receive/",
	    "http://localhost/v1/dev/inbox/receive", "http://localhost/", "http://localhost",
	    "http://localhost/v1/dev/inbox/receive/../../../events", "http://localhost/v1/dev/inbox/receive/..",
	    "http://localhost/v1/dev/inbox/receive/%2e%2e", "http://localhost/v1/dev/inbox/receive/a/b",
	    "http://localhost/v1/dev/inbox/receive/a?b", "http://localhost/v1/dev/inbox/receive/a;b",
	    "http://localhost/x/v1/dev/inbox/receive/a", "http://10.0.0.1/v1/dev/inbox/receive/a",
	    "http://0.0.0.0/v1/dev/inbox/receive/a", "http://notlocalhost/v1/dev/inbox/receive/a",
	    "http://[::2]/v1/dev/inbox/receive/a", "http://[::ffff:127.0.0.1]/v1/dev/inbox/receive/a",
	    "https://hooks.example/v1/dev/inbox/receive/a"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_true(is_inbox(own[i], NULL));
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		if (is_inbox(other[i], NULL))
			fail_msg("%s is taken for the inbox", other[i]);
	assert_true(is_inbox("https://hooks.example/v1/dev/inbox/receive/a", "https://hooks.example"));
	assert_true(is_inbox("https://HOOKS.example:443/v1/dev/inbox/receive/a", "https://hooks.example"));
	assert_true(is_inbox("http://hooks.example:8080/v1/dev/inbox/receive/a", "http://hooks.example:8080"));
	assert_true(is_inbox("http://localhost:1/v1/dev/inbox/receive/a", "http://hooks.example:8080"));
	assert_false(is_inbox("http://hooks.example:8081/v1/dev/inbox/receive/a", "http://hooks.example:8080"));
	assert_false(is_inbox("http://www.hooks.example/v1/dev/inbox/receive/a", "http://hooks.example"));
}

static void
test_a_url_is_split_into_its_parts(void **state)
{
	static const char url[] = "HTTPS://Example.com.:8443?a=%2F&b=+;&c=&";
	struct target_url parts;
	struct error err;

	assert_int_equal(target_url_split((struct span){url, strlen(url)}, &parts, &err), 0);
	assert_true(parts.https);
	assert_false(parts.is_address);
	assert_int_equal(parts.port, 8443);
	assert_string_equal(parts.host, "Example.com");
	assert_memory_equal(parts.authority.base, "Example.com.:8443", parts.authority.len);
	assert_int_equal(parts.target.len, strlen("?a=%2F&b=+;&c=&"));
	assert_memory_equal(parts.target.base, "?a=%2F&b=+;&c=&", parts.target.len);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public_urls_are_accepted),
	    cmocka_unit_test(test_other_schemes_and_forms_are_refused),
	    cmocka_unit_test(test_the_error_names_the_place_of_a_wrong_byte),
	    cmocka_unit_test(test_a_nul_does_not_end_a_url),
	    cmocka_unit_test(test_hosts_that_are_no_names_are_refused),
	    cmocka_unit_test(test_addresses_that_are_not_public_are_refused_in_each_spelling),
	    cmocka_unit_test(test_addresses_of_allowed_networks_are_accepted),
	    cmocka_unit_test(test_the_length_of_a_url_is_limited),
	    cmocka_unit_test(test_an_error_never_shows_the_url),
	    cmocka_unit_test(test_the_services_own_inbox_is_recognised_by_path_and_host),
	    cmocka_unit_test(test_a_url_is_split_into_its_parts),
	};

	return cmocka_run_group_tests_name("target_url", tests, NULL, NULL);
}
