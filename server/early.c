/* Finds the route exactly as libh2o and routes.c will. */
#include "server/early.h"

#include "api/frame.h"
#include "server/auth.h"
#include "server/body.h"
#include "server/client.h"
#include "server/h2o_internals.h"
#include "server/routes.h"

static void
look_up(const struct connection *connection, struct route_path *path, struct route_match *match)
{
	const struct head *head = &connection->head;
	const char *bytes = connection->socket->input->bytes;
	h2o_mem_pool_t pool;
	h2o_iovec_t normal;

	h2o_mem_init_pool(&pool);
	normal = libh2o_normal_path(&pool, bytes + head->target.at, head->target.len);
	route_read_path(path, normal.base, normal.len);
	h2o_mem_clear_pool(&pool);
	route_find(&routes, (struct span){bytes, head->method_len}, path, match);
}

/* The largest body that the route's handler could accept. */
static uint64_t
most_body(const struct route *route)
{
	if (route != NULL && route->scope == SCOPE_EVENTS_PUBLISH)
		return UINT64_MAX; /* libh2o enforces MAX_BODY_BYTES */
	if (route != NULL && route->operation == OPERATION_INBOX_RECEIVE)
		return FRAME_RECEIVED_BODY_MAX;
	return BODY_DOCUMENT_MAX;
}

/* Whether the rest of the body may exceed the first read buffer. */
static bool
has_large_body(const struct connection *connection)
{
	const struct head *head = &connection->head;

	if (!head->has_length)
		return head->has_coding;
	return head->body_bytes > LIBH2O_READ_BYTES && head->body_bytes > connection->socket->input->size - head->line;
}

bool
early_refuses(struct connection *connection, struct refusal *refusal)
{
	struct route_path path;
	struct route_match match;
	const struct route *route;

	connection->most_body = UINT64_MAX;
	if (!has_large_body(connection))
		return false;
	look_up(connection, &path, &match);
	route = match.method_fits ? match.route : NULL;
	connection->most_body = most_body(route);
	return route != NULL && auth_refuses_early(connection, route, refusal);
}
