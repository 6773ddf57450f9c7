/* Compares a path with each row's pattern in turn. */
#include "server/route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Removes scheme and host of an absolute URI. libh2o has put a slash before it, as before every target without one. */
static struct span
without_host(struct span target)
{
	static const char *const schemes[] = {"/http://", "/https://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t scheme = strlen(schemes[i]);
		const char *path;

		if (target.len < scheme || strncasecmp(target.base, schemes[i], scheme) != 0)
			continue;
		path = memchr(target.base + scheme, '/', target.len - scheme);
		if (path == NULL)
			return (struct span){"/", 1};
		return (struct span){path, target.len - (size_t)(path - target.base)};
	}
	return target;
}

bool
route_is_of_api(const char *path, size_t len)
{
	struct span target = {path, len};
	size_t n = 0;

	if (len > 1 && (path[1] | 0x20) == 'h')
		target = without_host(target);
	while (n < target.len && target.base[n] == '/')
		n++;
	if (n == 0 || target.len - n < 2 || memcmp(target.base + n, "v1", 2) != 0)
		return false;
	return target.len - n == 2 || target.base[n + 2] == '/';
}

/* Whether the text begins with the escape %2 plus that digit. */
static bool
is_escape(const char *text, size_t len, char digit)
{
	return len >= 3 && text[0] == '%' && text[1] == '2' && (text[2] | 0x20) == digit;
}

bool
route_is_plain(const char *path, size_t len)
{
	size_t dots = 0, others = 0; /* characters of the current segment */

	for (size_t i = 0; i < len; i++) {
		if (path[i] == '/') {
			if (others == 0 && (dots == 1 || dots == 2))
				return false;
			dots = others = 0;
		} else if (path[i] == '.') {
			dots++;
		} else if (is_escape(path + i, len - i, 'e')) {
			dots++;
			i += 2;
		} else if (is_escape(path + i, len - i, 'f')) {
			return false;
		} else {
			others++;
		}
	}
	return others > 0 || (dots != 1 && dots != 2);
}

void
route_read_path(struct route_path *out, const char *path, size_t len)
{
	struct span target = {path, len};
	size_t n = 0;
	char before = '\0';

	if (len > 1 && (path[1] | 0x20) == 'h')
		target = without_host(target);
	for (size_t i = 0; i < target.len; i++) {
		char c = target.base[i];

		if (c == '/' && before == '/')
			continue;
		if (n == ROUTE_PATH_BYTES) {
			out->len = 0;
			return;
		}
		out->bytes[n++] = before = c;
	}
	out->len = n > 1 && before == '/' ? n - 1 : n;
}

static bool
method_fits(const struct route *route, struct span method)
{
	if (strcmp(route->method, "ANY") == 0 ||
	    (strncmp(route->method, method.base, method.len) == 0 && route->method[method.len] == '\0'))
		return true;
	return strcmp(route->method, "GET") == 0 && method.len == 4 && memcmp(method.base, "HEAD", 4) == 0;
}

/* Sets the parameters of the match. Must be fast: a request calls this for each row up to its own. */
static bool
path_fits(const char *pattern, const struct route_path *path, struct route_match *match)
{
	const char *at = path->bytes, *end = at + path->len;

	match->param_count = 0;
	while (*pattern != '\0') {
		if (*pattern == '{') {
			const char *value = at;

			while (at < end && *at != '/')
				at++;
			if (at == value)
				return false;
			assert(match->param_count < ROUTE_PARAMS_MAX);
			match->params[match->param_count++] = (struct span){value, (size_t)(at - value)};
			pattern = strchr(pattern, '}') + 1;
		} else if (at == end || *at++ != *pattern++) {
			return false;
		}
	}
	return at == end;
}

void
route_find(
    const struct route_table *table, struct span method, const struct route_path *path, struct route_match *match)
{
	const struct route *other = NULL;

	for (size_t i = 0; i < table->count; i++) {
		if (!path_fits(table->rows[i].path, path, match))
			continue;
		if (method_fits(&table->rows[i], method)) {
			match->route = &table->rows[i];
			match->method_fits = true;
			return;
		}
		if (other == NULL)
			other = &table->rows[i];
	}
	match->route = other;
	match->method_fits = false;
	match->param_count = 0;
}

void
route_allow(const struct route_table *table, const struct route *route, bool options, char allow[ROUTE_ALLOW_BYTES])
{
	size_t len = 0;

	for (size_t i = 0; i < table->count; i++) {
		const char *method = table->rows[i].method;

		if (strcmp(table->rows[i].path, route->path) == 0)
			len += (size_t)snprintf(allow + len, ROUTE_ALLOW_BYTES - len, "%s%s%s", len > 0 ? ", " : "",
			    method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
	}
	if (options)
		len += (size_t)snprintf(allow + len, ROUTE_ALLOW_BYTES - len, ", OPTIONS");
	assert(len < ROUTE_ALLOW_BYTES);
}

/* Whether that row is the first of its path and belongs in route_paths(). */
static bool
is_listed(const struct route_table *table, size_t row)
{
	const char *path = table->rows[row].path;

	if (strcmp(path, "/") == 0 || route_is_of_api(path, strlen(path)))
		return false;
	for (size_t i = 0; i < row; i++)
		if (strcmp(table->rows[i].path, path) == 0)
			return false;
	return true;
}

void
route_paths(const struct route_table *table, char text[ROUTE_PATHS_BYTES])
{
	size_t left = 0, len = 0, listed = 0;

	for (size_t i = 0; i < table->count; i++)
		left += is_listed(table, i);
	text[0] = '\0';
	for (size_t i = 0; i < table->count; i++) {
		if (!is_listed(table, i))
			continue;
		left--;
		len += (size_t)snprintf(text + len, ROUTE_PATHS_BYTES - len, "%s%s",
		    listed++ == 0 ? ""
		    : left == 0   ? " and "
				  : ", ",
		    table->rows[i].path);
		assert(len < ROUTE_PATHS_BYTES);
	}
}
