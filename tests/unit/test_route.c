/*
 * Paths as clients write them, and which row of a table they find. This table has forms that the real one does not have
 * yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/route.h"

static const struct route rows[] = {
    {.method = "GET", .path = "/"},
    {.method = "POST", .path = "/events"},
    {.method = "GET", .path = "/v2/endpoints"},
    {.method = "POST", .path = "/v2/endpoints"},
    {.method = "GET", .path = "/v2/endpoints/none"},
    {.method = "GET", .path = "/v2/endpoints/{id}"},
    {.method = "PATCH", .path = "/v2/endpoints/{id}"},
    {.method = "POST", .path = "/v2/endpoints/{id}/retry"},
    {.method = "GET", .path = "/v2/inbox/{token}/messages/{id}"},
};

static const struct route_table table = {rows, sizeof rows / sizeof *rows};
static struct route_path path;
static struct route_match match;

static void
find(const char *method, const char *text)
{
	route_read_path(&path, text, strlen(text));
	route_find(&table, (struct span){method, strlen(method)}, &path, &match);
}

static void
assert_finds(const char *method, const char *text, const char *row_method, const char *row_path)
{
	find(method, text);
	assert_non_null(match.route);
	assert_true(match.method_fits);
	assert_string_equal(match.route->method, row_method);
	assert_string_equal(match.route->path, row_path);
}

static void
assert_param(uint32_t number, const char *value)
{
	assert_int_equal(match.params[number].len, strlen(value));
	assert_memory_equal(match.params[number].base, value, strlen(value));
}

static void
test_paths_are_read_as_people_write_them(void **state)
{
	static const char *const cases[][2] = {
	    {"/", "/"},
	    {"//", "/"},
	    {"/events", "/events"},
	    {"/events/", "/events"},
	    {"//events//batch//", "/events/batch"},
	    {"/http://localhost:8080/events", "/events"},
	    {"/HTTPS://h/events/", "/events"},
	    {"/http://h", "/"},
	    {"/http://h//events", "/events"},
	    {"/http:/h/events", "/http:/h/events"},
	    {"/health", "/health"},
	    {"/Http", "/Http"},
	    {"*", "*"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		route_read_path(&path, cases[i][0], strlen(cases[i][0]));
		assert_int_equal(path.len, strlen(cases[i][1]));
		assert_memory_equal(path.bytes, cases[i][1], path.len);
	}
}

static void
test_a_path_that_is_too_long_fits_no_row(void **state)
{
	char text[2 * ROUTE_PATH_BYTES];

	memset(text, 'a', sizeof text);
	text[0] = '/';
	route_read_path(&path, text, ROUTE_PATH_BYTES);
	assert_int_equal(path.len, ROUTE_PATH_BYTES);
	route_read_path(&path, text, ROUTE_PATH_BYTES + 1);
	assert_int_equal(path.len, 0);
	route_find(&table, (struct span){"GET", 3}, &path, &match);
	assert_null(match.route);
	memset(text, '/', sizeof text);
	route_read_path(&path, text, sizeof text);
	assert_int_equal(path.len, 1);
}

static void
test_a_path_and_its_method_find_their_row(void **state)
{
	assert_finds("GET", "/", "GET", "/");
	assert_finds("HEAD", "/", "GET", "/");
	assert_finds("POST", "/events/", "POST", "/events");
	assert_finds("GET", "/v2/endpoints", "GET", "/v2/endpoints");
	assert_finds("POST", "/v2/endpoints", "POST", "/v2/endpoints");
	assert_int_equal(match.param_count, 0);
}

static void
test_a_segment_in_braces_takes_any_value(void **state)
{
	assert_finds("PATCH", "/v2/endpoints/ep_17", "PATCH", "/v2/endpoints/{id}");
	assert_int_equal(match.param_count, 1);
	assert_param(0, "ep_17");
	assert_finds("POST", "/v2/endpoints/17/retry", "POST", "/v2/endpoints/{id}/retry");
	assert_param(0, "17");
	assert_finds("GET", "/v2/inbox/a/messages/b", "GET", "/v2/inbox/{token}/messages/{id}");
	assert_int_equal(match.param_count, 2);
	assert_param(0, "a");
	assert_param(1, "b");
}

static void
test_the_first_row_that_fits_is_taken(void **state)
{
	assert_finds("GET", "/v2/endpoints/none", "GET", "/v2/endpoints/none");
	assert_finds("GET", "/v2/endpoints/nonesuch", "GET", "/v2/endpoints/{id}");
	assert_finds("PATCH", "/v2/endpoints/none", "PATCH", "/v2/endpoints/{id}");
}

static void
test_other_paths_find_nothing(void **state)
{
	static const char *const paths[] = {"/event", "/eventss", "/v2", "/v2/endpoints/a/b", "/v2/endpoints/a/retry/x",
	    "/v2/inbox//messages/b", "/v2/inbox/a/messages", "", "events", "*", "/EVENTS"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		find("GET", paths[i]);
		assert_null(match.route);
		assert_false(match.method_fits);
	}
}

static void
test_another_method_finds_the_path_and_what_it_allows(void **state)
{
	static const char *const cases[][4] = {
	    {"GET", "/events", "POST", "POST, OPTIONS"},
	    {"HEAD", "/events", "POST", "POST, OPTIONS"},
	    {"PUT", "/", "GET, HEAD", "GET, HEAD, OPTIONS"},
	    {"PUT", "/v2/endpoints", "GET, HEAD, POST", "GET, HEAD, POST, OPTIONS"},
	    {"DELETE", "/v2/endpoints/7", "GET, HEAD, PATCH", "GET, HEAD, PATCH, OPTIONS"},
	    {"get", "/", "GET, HEAD", "GET, HEAD, OPTIONS"},
	};
	char allow[ROUTE_ALLOW_BYTES];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		find(cases[i][0], cases[i][1]);
		assert_non_null(match.route);
		assert_false(match.method_fits);
		route_allow(&table, match.route, false, allow);
		assert_string_equal(allow, cases[i][2]);
		route_allow(&table, match.route, true, allow);
		assert_string_equal(allow, cases[i][3]);
	}
}

static void
test_paths_are_listed_once_each(void **state)
{
	const struct route_table two = {rows + 1, 3}, one = {rows, 2}, none = {rows, 1};
	char text[ROUTE_PATHS_BYTES];

	route_paths(&two, text);
	assert_string_equal(text, "/events and /v2/endpoints");
	route_paths(&one, text);
	assert_string_equal(text, "/events");
	route_paths(&none, text);
	assert_string_equal(text, "");
	route_paths(&table, text);
	assert_string_equal(text, "/events, /v2/endpoints, /v2/endpoints/none, /v2/endpoints/{id}, "
				  "/v2/endpoints/{id}/retry and /v2/inbox/{token}/messages/{id}");
}

static void
test_paths_of_the_management_api_are_recognised(void **state)
{
	static const char *const of_it[] = {"/v1", "/v1/", "/v1/endpoints", "//v1//x", "/http://host:80/v1/x"};
	static const char *const others[] = {
	    "/", "/v", "/v12", "/v2/x", "/events/v1/", "/http://host/events", "v1/x", ""};
	static const struct route listed[] = {{.method = "GET", .path = "/v1/x"}, {.method = "GET", .path = "/x"}};
	const struct route_table two = {listed, 2};
	char text[ROUTE_PATHS_BYTES];

	for (size_t i = 0; i < sizeof of_it / sizeof *of_it; i++)
		assert_true(route_is_of_api(of_it[i], strlen(of_it[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(route_is_of_api(others[i], strlen(others[i])));
	route_paths(&two, text);
	assert_string_equal(text, "/x");
}

static void
test_paths_with_dot_segments_or_encoded_slashes_are_recognised(void **state)
{
	static const char *const plain[] = {"/v1/a", "/v1//a/", "/v1/a.b", "/v1/.a", "/v1/...", "/v1/%2e%2e%2e",
	    "/v1/%2ea", "/v1/a%20b", "/v1/%2", "/", ""};
	static const char *const others[] = {"/v1/a/..", "/v1/../b", "/v1/./a", "/v1/.", "/v1/a/%2e%2E", "/v1/%2e./b",
	    "/v1/%2e/b", "/v1/a%2fb", "/v1/a%2F", "/v1/%2e%2e%2f", ".", ".."};

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (!route_is_plain(plain[i], strlen(plain[i])))
			fail_msg("%s", plain[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (route_is_plain(others[i], strlen(others[i])))
			fail_msg("%s", others[i]);
	assert_true(route_is_plain("/v1/%2e%2f", 9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths_are_read_as_people_write_them),
	    cmocka_unit_test(test_a_path_that_is_too_long_fits_no_row),
	    cmocka_unit_test(test_a_path_and_its_method_find_their_row),
	    cmocka_unit_test(test_a_segment_in_braces_takes_any_value),
	    cmocka_unit_test(test_the_first_row_that_fits_is_taken),
	    cmocka_unit_test(test_other_paths_find_nothing),
	    cmocka_unit_test(test_another_method_finds_the_path_and_what_it_allows),
	    cmocka_unit_test(test_paths_are_listed_once_each),
	    cmocka_unit_test(test_paths_of_the_management_api_are_recognised),
	    cmocka_unit_test(test_paths_with_dot_segments_or_encoded_slashes_are_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
