/* Paths as clients write them, and which row of a table they find. The table here has what ours does not have yet. */
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
    {.method = "GET", .path = "/v1/endpoints"},
    {.method = "POST", .path = "/v1/endpoints"},
    {.method = "GET", .path = "/v1/endpoints/none"},
    {.method = "GET", .path = "/v1/endpoints/{id}"},
    {.method = "PATCH", .path = "/v1/endpoints/{id}"},
    {.method = "POST", .path = "/v1/endpoints/{id}/retry"},
    {.method = "GET", .path = "/v1/inbox/{token}/messages/{id}"},
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
	assert_finds("GET", "/v1/endpoints", "GET", "/v1/endpoints");
	assert_finds("POST", "/v1/endpoints", "POST", "/v1/endpoints");
	assert_int_equal(match.param_count, 0);
}

static void
test_a_segment_in_braces_takes_any_value(void **state)
{
	assert_finds("PATCH", "/v1/endpoints/ep_17", "PATCH", "/v1/endpoints/{id}");
	assert_int_equal(match.param_count, 1);
	assert_param(0, "ep_17");
	assert_finds("POST", "/v1/endpoints/17/retry", "POST", "/v1/endpoints/{id}/retry");
	assert_param(0, "17");
	assert_finds("GET", "/v1/inbox/a/messages/b", "GET", "/v1/inbox/{token}/messages/{id}");
	assert_int_equal(match.param_count, 2);
	assert_param(0, "a");
	assert_param(1, "b");
}

static void
test_the_first_row_that_fits_is_taken(void **state)
{
	assert_finds("GET", "/v1/endpoints/none", "GET", "/v1/endpoints/none");
	assert_finds("GET", "/v1/endpoints/nonesuch", "GET", "/v1/endpoints/{id}");
	assert_finds("PATCH", "/v1/endpoints/none", "PATCH", "/v1/endpoints/{id}");
}

static void
test_other_paths_find_nothing(void **state)
{
	static const char *const paths[] = {"/event", "/eventss", "/v1", "/v1/endpoints/a/b", "/v1/endpoints/a/retry/x",
	    "/v1/inbox//messages/b", "/v1/inbox/a/messages", "", "events", "*", "/EVENTS"};

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
	    {"PUT", "/v1/endpoints", "GET, HEAD, POST", "GET, HEAD, POST, OPTIONS"},
	    {"DELETE", "/v1/endpoints/7", "GET, HEAD, PATCH", "GET, HEAD, PATCH, OPTIONS"},
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
	assert_string_equal(text, "/events and /v1/endpoints");
	route_paths(&one, text);
	assert_string_equal(text, "/events");
	route_paths(&none, text);
	assert_string_equal(text, "");
	route_paths(&table, text);
	assert_string_equal(text, "/events, /v1/endpoints, /v1/endpoints/none, /v1/endpoints/{id}, "
				  "/v1/endpoints/{id}/retry and /v1/inbox/{token}/messages/{id}");
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
