/*
 * Tables of routes: which function answers which method of which path. The table of this service is in routes.c; here
 * is what can be done with any. Pure.
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
	const char *method; /* "GET", which allows HEAD also, or "POST"; "ANY": every one */
	/*
	 * Without a slash at the end. A segment {name} stands for any segment that is not empty. If a path fits several
	 * rows, the first one with its method is taken.
	 */
	const char *path;
	enum counter answers; /* the first of three: answers of 2xx, 4xx, 5xx */
	enum scope scope; /* that a key needs; PUBLIC: no key is needed; KEY: any */
	/* The handler, which runs in the acceptor: it answers, or lets the request wait for its answer. */
	void (*serve)(struct acceptor *acceptor, struct exchange *exchange);
	const char *help; /* for GET / */
	enum api_operation operation; /* of a row of the management API */
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
 * Writes a request's path with one slash where there are several, as of a base URL that ends with one, and none at the
 * end; of an absolute URI (RFC 9112 section 3.2.2) what follows the host. The path has no query and no dot segments.
 * Its length becomes 0, which no row fits, when it is too long.
 */
void route_read_path(struct route_path *out, const char *path, size_t len);

/*
 * Whether a request's path, as above, is "/v1" or begins with "/v1/": it is the management API's, whose errors have
 * another shape.
 */
bool route_is_of_api(const char *path, size_t len);

/*
 * Whether a path, as the client sent it and without its query, means the segments that it shows: no segment is "." or
 * "..", and no slash is escaped. What libh2o makes of another path is the path of another object, or of none that the
 * client has named: of .../api-keys/%2e%2e%2f it makes that of the tenant.
 */
bool route_is_plain(const char *path, size_t len);

/* When only the method does not fit, route is the first row of the path, and there are no parameters. */
struct route_match {
	const struct route *route; /* NULL: no row has the path */
	bool method_fits;
	uint32_t param_count;
	struct span params[ROUTE_PARAMS_MAX]; /* the segments that stand for each {name}, in order: parts of the path */
};

/* Looks up a path, which must outlive the match. */
void route_find(
    const struct route_table *table, struct span method, const struct route_path *path, struct route_match *match);

#define ROUTE_ALLOW_BYTES 64

/* Lists the methods of the route's path, as the header Allow has them; options: with OPTIONS. */
void route_allow(
    const struct route_table *table, const struct route *route, bool options, char allow[ROUTE_ALLOW_BYTES]);

#define ROUTE_PATHS_BYTES 1024

/* Lists all paths but "/" and those of the management API for a person: "/a, /b and /c". */
void route_paths(const struct route_table *table, char text[ROUTE_PATHS_BYTES]);

#endif
