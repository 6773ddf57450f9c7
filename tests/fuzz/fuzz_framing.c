/*
 * Arbitrary bytes from a client on one connection, sent over a pair of sockets to the acceptor's own code and libh2o
 * behind it. A strict reader (strict_reader.h), which has all of the bytes and RFC 9112 alone, decides what they are.
 * For every input:
 *
 *   - the requests that reach a handler are those that the reader finds, with the same bodies;
 *   - bytes that the reader finds wrong are answered with a 4xx, after the answers to the requests before them, and no
 *     byte after them is taken for a request;
 *   - otherwise the connection stays open, or closes because a request asks for it.
 *
 * The first byte of an input is the size of the pieces in which the others come.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <h2o.h>

#include "server/connection.h"
#include "server/early.h"
#include "server/h2o_internals.h"
#include "tests/fuzz/strict_reader.h"
#include "tests/fuzz/target.h"

static struct server {
	h2o_globalconf_t globalconf;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	struct linger_list linger;
	struct connections connections;
	struct config config;
	struct process_slot slot;
} server;

/* The requests that the handler has got. */
static struct strict_requests handled;

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	static h2o_generator_t generator;
	h2o_iovec_t body = {.base = (char *)(uintptr_t) "ok", .len = 2};

	libh2o_ignore_upgrade(req);
	strict_add(&handled, req->entity.base, req->entity.len);
	req->res.status = 200;
	req->res.reason = "OK";
	req->res.content_length = body.len;
	h2o_start_response(req, &generator);
	h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
	connection_answered(req);
	return 0;
}

static void
set_up(void)
{
	h2o_hostconf_t *host;

	if (server.context.loop != NULL)
		return;
	libh2o_init_buffers();
	h2o_config_init(&server.globalconf);
	libh2o_configure(&server.globalconf);
	server.globalconf.max_request_entity_size = STRICT_BODY_MAX;
	host = h2o_config_register_host(&server.globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = on_request;
	h2o_context_init(&server.context, h2o_evloop_create(), &server.globalconf);
	server.accept = (h2o_accept_ctx_t){.ctx = &server.context, .hosts = server.globalconf.hosts};
	linger_init(&server.linger, server.context.loop);
	server.config.idle_timeout_seconds = server.config.request_timeout_seconds = 3600;
	server.config.max_connections = 2;
	server.config.max_body_bytes = STRICT_BODY_MAX;
	server.config.max_header_bytes = HEAD_BYTES_MAX;
	server.config.max_buffered_bytes = UINT64_MAX;
	server.connections = (struct connections){.config = &server.config,
	    .slot = &server.slot,
	    .accept = &server.accept,
	    .linger = &server.linger,
	    .refuses = early_refuses};
	connections_init(&server.connections);
}

/* The bytes that the server has written. */
struct answers {
	char bytes[1 << 20];
	size_t len;
	bool closed;
};

static void
read_answers(int fd, struct answers *answers)
{
	ssize_t n;

	while ((n = recv(fd, answers->bytes + answers->len, sizeof answers->bytes - answers->len, MSG_DONTWAIT)) > 0)
		answers->len += (size_t)n;
	assert(n == 0 || errno == EAGAIN || errno == ECONNRESET);
	answers->closed = n == 0 || errno == ECONNRESET;
}

/* Runs the loop until nothing more happens without new bytes. */
static void
run_until_quiet(int fd, struct answers *answers)
{
	size_t before;

	do {
		before = answers->len;
		for (int i = 0; i < 3; i++)
			(void)h2o_evloop_run(server.context.loop, 0);
		read_answers(fd, answers);
	} while (!answers->closed && answers->len != before);
}

/* Counts the answers that begin so. */
static unsigned
count(const struct answers *answers, const char *beginning)
{
	const char *at = answers->bytes, *end = at + answers->len;
	unsigned found = 0;

	while ((at = memmem(at, (size_t)(end - at), beginning, strlen(beginning))) != NULL) {
		found++;
		at++;
	}
	return found;
}

static void
converse(const char *bytes, size_t len, size_t piece, struct answers *answers)
{
	int fds[2];
	int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);

	assert(rc == 0);
	connection_take(&server.connections,
	    h2o_evloop_socket_create(server.context.loop, fds[1], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION), false, 0);
	answers->len = 0;
	answers->closed = false;
	while (len > 0 && !answers->closed) {
		size_t part = piece < len ? piece : len;
		ssize_t sent = send(fds[0], bytes, part, MSG_NOSIGNAL);

		assert(sent == (ssize_t)part);
		bytes += part;
		len -= part;
		run_until_quiet(fds[0], answers);
	}
	close(fds[0]);
	for (int i = 0; i < 3; i++)
		(void)h2o_evloop_run(server.context.loop, 0);
	assert(server.connections.count == 0 && server.linger.count == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answers answers;
	static struct strict_requests expected;
	const char *bytes = (const char *)data + 1;

	if (size < 2 || size > STRICT_BYTES_MAX)
		return 0;
	set_up();
	expected.count = handled.count = 0;
	strict_read(bytes, size - 1, &expected);
	converse(bytes, size - 1, (size_t)data[0] * data[0] + 1, &answers);
	assert(handled.count == expected.count);
	for (unsigned i = 0; i < handled.count; i++) {
		assert(handled.bodies[i].len == expected.bodies[i].len);
		assert(handled.bodies[i].sum == expected.bodies[i].sum);
	}
	assert(count(&answers, "HTTP/1.1 200 OK\r\n") == expected.count);
	assert(count(&answers, "HTTP/1.1 4") == (expected.end == STRICT_WRONG));
	assert(answers.closed == (expected.end != STRICT_OPEN));
	return 0;
}
