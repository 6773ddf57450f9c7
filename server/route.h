/*
 * Tables of routes: the functions that answer methods and paths. routes.c has this service's table; these functions
 * work on any table. Pure.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/operations.h"
#include "base/span.h"
#include "shm/counters.h"

struct acceptor;
struct exchange;

struct route {
	const char *method; /* "GET", which also allows HEAD, "POST", ...; "ANY": every method */
	/*
	 * Without a trailing slash. A segment {name} matches any nonempty segment. If several rows match a path, the
	 * first one with the method is used.
	 */
	const char *path;
	enum counter answers; /* the first of three: answers of 2xx, 4xx, 5xx */
	enum scope scope; /* the scope that a key needs; PUBLIC: no key; KEY: any key */
	/* The handler, in the acceptor: answers now, or later. */
	void (*serve)(struct acceptor *acceptor, struct exchange *exchange);
	const char *help; /* for GET / */
	enum api_operation operation; /* for a row of the management API */
};

struct route_table {
	const struct route *rows;
	size_t count;
};

#define ROUTE_PATH_BYTES 160 /* longer than every path of a table */
#define ROUTE_PARAMS_MAX 2

struct route_path {
	size_t len;
	char bytes[ROUTE_PATH_BYTES];
};

/*
 * Normalizes a request's path: merges adjacent slashes, removes the trailing one, and removes scheme and host of an
 * absolute URI (RFC 9112 section 3.2.2). path has no query and no dot segments. If it is too long, its length becomes
 * 0, which no row matches.
 */
void route_read_path(struct route_path *out, const char *path, size_t len);

/*
 * Whether a request's path, as above, is "/v1" or begins with "/v1/": errors of the management API have another form.
 */
bool route_is_of_api(const char *path, size_t len);

/*
 * Whether a path, as sent and without its query, means the segments that it shows: no segment is "." or "..", and no
 * slash is escaped. libh2o resolves other paths to other objects: .../api-keys/%2e%2e%2f becomes the path of the
 * tenant.
 */
bool route_is_plain(const char *path, size_t len);

/* If only the method does not match, route is the first row of the path, without parameters. */
struct route_match {
	const struct route *route; /* NULL: no row has the path */
	bool method_fits;
	uint32_t param_count;
	struct span params[ROUTE_PARAMS_MAX]; /* the segments for each {name}, in order; they borrow from the path */
};

/* Looks up a path, which must outlive the match. */
void route_find(
    const struct route_table *table, struct span method, const struct route_path *path, struct route_match *match);

#define ROUTE_ALLOW_BYTES 64

/* Lists the methods of the route's path in the form of the header Allow; options: including OPTIONS. */
void route_allow(
    const struct route_table *table, const struct route *route, bool options, char allow[ROUTE_ALLOW_BYTES]);

#define ROUTE_PATHS_BYTES 1024

/* Lists all paths, except "/" and those of the management API, for a person: "/a, /b and /c". */
void route_paths(const struct route_table *table, char text[ROUTE_PATHS_BYTES]);

#endif
