/*
 * The table of routes against its descriptions: the OpenAPI document, the labels of the counters, and the text of a
 * 404.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/operations.h"
#include "server/openapi.h"
#include "server/routes.h"

/*
 * The method as OpenAPI writes it, "get" for "GET"; "post" for "ANY", whose methods the document describes one by one.
 */
static const char *
lower(const char *method)
{
	static char text[16];
	size_t i;

	if (strcmp(method, "ANY") == 0)
		return "post";
	for (i = 0; method[i] != '\0' && i + 1 < sizeof text; i++)
		text[i] = (char)tolower((unsigned char)method[i]);
	text[i] = '\0';
	return text;
}

static bool
has_row(const char *path, const char *lower_method)
{
	for (size_t i = 0; i < routes.count; i++)
		if (strcmp(routes.rows[i].path, path) == 0 &&
		    (strcmp(routes.rows[i].method, "ANY") == 0 ||
			strcmp(lower(routes.rows[i].method), lower_method) == 0))
			return true;
	return false;
}

static void
test_openapi_describes_every_route_and_no_other(void **state)
{
	cJSON *document = cJSON_ParseWithLength(openapi_json, openapi_json_len);
	cJSON *paths = cJSON_GetObjectItemCaseSensitive(document, "paths"), *path, *member;

	assert_non_null(paths);
	for (size_t i = 0; i < routes.count; i++) {
		path = cJSON_GetObjectItemCaseSensitive(paths, routes.rows[i].path);
		if (cJSON_GetObjectItemCaseSensitive(path, lower(routes.rows[i].method)) == NULL)
			fail_msg("openapi.json lacks %s %s", routes.rows[i].method, routes.rows[i].path);
	}
	cJSON_ArrayForEach(path, paths) cJSON_ArrayForEach(member, path)
	{
		if (strcmp(member->string, "parameters") != 0 && !has_row(path->string, member->string))
			fail_msg("openapi.json has %s %s, which is no route", member->string, path->string);
	}
	cJSON_Delete(document);
}

/*
 * The "security" of an operation is [{"key": [scope]}]. An empty object comes first if a key is not always needed, and
 * "token" if the key may stand in the query.
 */
static int
forms_of(const struct route *row)
{
	if (row->scope == SCOPE_PUBLIC)
		return 0;
	return route_is_of_api(row->path, strlen(row->path)) && row->operation != OPERATION_STREAM ? 1 : 2;
}

static void
test_openapi_names_the_scope_of_every_route(void **state)
{
	cJSON *document = cJSON_ParseWithLength(openapi_json, openapi_json_len);
	cJSON *paths = cJSON_GetObjectItemCaseSensitive(document, "paths");

	for (size_t i = 0; i < routes.count; i++) {
		const struct route *row = &routes.rows[i];
		cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, row->path);
		cJSON *operation = cJSON_GetObjectItemCaseSensitive(path, lower(row->method));
		cJSON *security = cJSON_GetObjectItemCaseSensitive(operation, "security");
		int forms = forms_of(row);
		cJSON *scopes = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(security, forms - 1), "key");

		if (cJSON_GetArraySize(security) != forms)
			fail_msg("openapi.json does not say when %s %s needs a key", row->method, row->path);
		if (forms > 0 && row->scope != SCOPE_KEY)
			assert_string_equal(
			    cJSON_GetStringValue(cJSON_GetArrayItem(scopes, 0)), scope_name(row->scope));
		assert_int_equal(cJSON_GetArraySize(scopes), forms > 0 && row->scope != SCOPE_KEY);
	}
	cJSON_Delete(document);
}

static void
test_the_counters_of_a_route_have_its_path(void **state)
{
	static const char *const classes[] = {"2xx", "4xx", "5xx"};

	for (size_t i = 0; i < routes.count; i++)
		for (int class = 0; class < 3; class ++) {
			/* All streams are counted together. */
			const char *path =
			    operation_is_stream(routes.rows[i].operation) ? "/v1/stream" : routes.rows[i].path;
			char labels[128];
			size_t len = strlen(path);

			/*
			 * All routes of a resource of the management API, such as /v1/endpoints, are counted together.
			 */
			if (route_is_of_api(path, len))
				len = 4 + strcspn(path + 4, "/");
			else if (strchr(path, '{') != NULL)
				len = (size_t)(strchr(path, '{') - path) - 1;
			(void)snprintf(
			    labels, sizeof labels, "route=\"%.*s\",status=\"%s\"", (int)len, path, classes[class]);
			assert_string_equal(counter_table[routes.rows[i].answers + class].labels, labels);
		}
}

static void
test_a_404_lists_the_paths(void **state)
{
	char text[ROUTE_PATHS_BYTES];

	route_paths(&routes, text);
	assert_string_equal(text, "/events, /events/batch, /health, /healthz, /livez, /readyz, /metrics, "
				  "/metrics/prometheus, /openapi.json, /openapi.yaml, "
				  "/console, /console/{name} and /events/stream");
}

static void
test_every_route_can_be_found_and_has_a_handler(void **state)
{
	for (size_t i = 0; i < routes.count; i++) {
		const struct route *row = &routes.rows[i];
		struct route_path path;
		struct route_match match;

		route_read_path(&path, row->path, strlen(row->path));
		route_find(&routes, (struct span){row->method, strlen(row->method)}, &path, &match);
		assert_ptr_equal(match.route, row);
		assert_non_null(row->serve);
		/* The receiver's path has a token instead of a key, and a page of the console has no data. */
		assert_true(!route_is_of_api(row->path, strlen(row->path)) || row->scope != SCOPE_PUBLIC ||
			    strcmp(row->path, "/v1/dev/inbox/receive/{token}") == 0 ||
			    strcmp(row->path, "/v1/dev/inbox/ui") == 0);
		assert_true(strlen(row->help) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openapi_describes_every_route_and_no_other),
	    cmocka_unit_test(test_openapi_names_the_scope_of_every_route),
	    cmocka_unit_test(test_the_counters_of_a_route_have_its_path),
	    cmocka_unit_test(test_a_404_lists_the_paths),
	    cmocka_unit_test(test_every_route_can_be_found_and_has_a_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
