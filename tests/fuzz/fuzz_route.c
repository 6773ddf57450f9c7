/*
 * Arbitrary bytes as the path of a request. For every input:
 *
 *   - the path that is read has no empty segments, and reading it again changes nothing;
 *   - it is a path of the management API exactly if it begins with /v1;
 *   - the value of a parameter is a segment of it.
 *
 * The path ends where a method begins, after the first blank.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/route.h"
#include "tests/fuzz/target.h"

static const struct route rows[] = {
    {.method = "GET", .path = "/"},
    {.method = "POST", .path = "/events"},
    {.method = "GET", .path = "/v1/endpoints"},
    {.method = "ANY", .path = "/v1/endpoints/{id}"},
    {.method = "POST", .path = "/v1/tenants/{id}/keys/{key}"},
};
static const struct route_table table = {rows, sizeof rows / sizeof *rows};

static bool
is_within(const struct span *part, const struct route_path *path)
{
	return part->len > 0 && part->base >= path->bytes && part->base + part->len <= path->bytes + path->len;
}

static void
check_match(const struct route_path *path, struct span method)
{
	struct route_match match;

	route_find(&table, method, path, &match);
	assert(match.route != NULL || (!match.method_fits && match.param_count == 0));
	for (uint32_t i = 0; i < match.param_count; i++)
		assert(is_within(&match.params[i], path) &&
		       memchr(match.params[i].base, '/', match.params[i].len) == NULL);
}

static void
check_path(const struct route_path *path, bool of_api)
{
	struct route_path again;

	for (size_t i = 1; i < path->len; i++)
		assert(path->bytes[i] != '/' || (path->bytes[i - 1] != '/' && i + 1 < path->len));
	route_read_path(&again, path->bytes, path->len);
	assert(again.len == path->len && memcmp(again.bytes, path->bytes, path->len) == 0);
	assert(of_api ==
	       (path->len >= 3 && memcmp(path->bytes, "/v1", 3) == 0 && (path->len == 3 || path->bytes[3] == '/')));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory that ends where the input ends, so that a sanitizer sees a read past its end. */
	char *text = malloc(size > 0 ? size : 1);
	struct route_path path;
	const char *blank;
	size_t len;

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	blank = size > 0 ? memchr(text, ' ', size) : NULL;
	len = blank != NULL ? (size_t)(blank - text) : size;
	if (memchr(text, '\0', size) == NULL) { /* no head that passes head_read() has one */
		(void)route_is_plain(text, len);
		route_read_path(&path, text, len);
		if (path.len > 0) {
			check_path(&path, route_is_of_api(text, len));
			check_match(
			    &path, blank != NULL ? (struct span){blank + 1, size - len - 1} : (struct span){"", 0});
		}
	}
	free(text);
	return 0;
}
