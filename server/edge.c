/*
 * Two repairs of libh2o 2.2.5's own error answers:
 *
 * - they are plain text: an output filter replaces the body by {"detail": "..."};
 * - it closes the connection right after them, and closing a socket with unread input resets it, so a client that is
 *   still sending its body often never sees the 413. The filter keeps a duplicate of the socket, says that it will
 *   send no more, and reads what still comes until the client closes or a bound is reached (a lingering close).
 */
#include "server/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/reply.h"

#define LINGER_MS 2000
#define LINGER_BYTES_MAX (64u << 20)

struct edge_filter {
	h2o_filter_t super;
	struct acceptor *acceptor;
	h2o_timeout_t linger_timeout;
};

/* An error body on its way out. */
struct edge_ostream {
	h2o_ostream_t super;
	struct edge_filter *filter;
};

struct lingering {
	struct acceptor *acceptor;
	h2o_socket_t *socket;
	h2o_timeout_entry_t entry;
	size_t bytes;
};

static void
linger_end(struct lingering *l)
{
	h2o_timeout_unlink(&l->entry);
	h2o_socket_close(l->socket);
	l->acceptor->connections--;
	free(l);
}

static void
on_linger_timeout(h2o_timeout_entry_t *entry)
{
	linger_end(H2O_STRUCT_FROM_MEMBER(struct lingering, entry, entry));
}

static void
on_linger_read(h2o_socket_t *socket, const char *err)
{
	struct lingering *l = socket->data;

	l->bytes += socket->input->size;
	h2o_buffer_consume(&socket->input, socket->input->size);
	if (err != NULL || l->bytes > LINGER_BYTES_MAX)
		linger_end(l);
}

static void
linger(struct edge_filter *filter, h2o_req_t *req)
{
	h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
	int fd = fcntl(h2o_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
	struct lingering *l;

	if (fd < 0)
		return; /* the client may miss the reason, nothing worse */
	(void)shutdown(fd, SHUT_WR);
	l = mem_new(1, sizeof *l);
	l->acceptor = filter->acceptor;
	l->acceptor->connections++; /* who leaves waits for it */
	l->socket = h2o_evloop_socket_create(req->conn->ctx->loop, fd, 0);
	l->socket->data = l;
	l->entry.cb = on_linger_timeout;
	h2o_timeout_link(req->conn->ctx->loop, &filter->linger_timeout, &l->entry);
	h2o_socket_read_start(l->socket, on_linger_read);
}

/* The body of libh2o's own error, and ours where it can say more. */
static cJSON *
error_tree(const struct acceptor *acceptor, const h2o_req_t *req, const h2o_iovec_t *bufs, size_t count)
{
	cJSON *tree = cJSON_CreateObject();
	char text[256];
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < bufs[i].len && len + 1 < sizeof text; k++)
			text[len++] = bufs[i].base[k];
	text[len] = '\0';
	cJSON_AddStringToObject(tree, "detail",
	    req->res.status == 413 ? reply_body_too_large_text(acceptor->config->max_body_bytes, false) : text);
	return tree;
}

/* The one and only send of an error body: small, and the socket's buffer is empty, so it is written at once. */
static void
send_as_json(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state)
{
	struct edge_filter *filter = ((struct edge_ostream *)self)->filter;
	cJSON *tree = error_tree(filter->acceptor, req, bufs, count);
	char *json = cJSON_PrintUnformatted(tree);
	h2o_iovec_t body = h2o_strdup(&req->pool, json, SIZE_MAX);

	cJSON_free(json);
	cJSON_Delete(tree);
	counter_add(
	    filter->acceptor->slot, req->res.status == 413 ? COUNTER_REJECTED_BODY_SIZE : COUNTER_REJECTED_HTTP, 1);
	req->res.content_length = body.len;
	h2o_ostream_send_next(self, req, &body, count > 0 ? 1 : 0, state); /* 0: the answer to a HEAD */
	if (!req->http1_is_persistent)
		linger(filter, req);
}

static void
on_setup(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);

	/* Our own errors are JSON already; what is plain text and an error is libh2o's. */
	if (req->res.status >= 400 && at != -1 && req->res.headers.entries[at].value.len >= 10 &&
	    h2o_memis(req->res.headers.entries[at].value.base, 10, H2O_STRLIT("text/plain"))) {
		struct edge_ostream *ostream = (void *)h2o_add_ostream(req, sizeof *ostream, slot);

		req->res.headers.entries[at].value = h2o_iovec_init(H2O_STRLIT("application/json"));
		ostream->filter = (struct edge_filter *)filter;
		ostream->super.do_send = send_as_json;
		slot = &ostream->super.next;
	}
	h2o_setup_next_ostream(req, slot);
}

/* One time-out for all: libh2o walks the list of them in every turn, and one may not be disposed of in its own callback. */
static void
on_context_init(h2o_filter_t *filter, h2o_context_t *context)
{
	h2o_timeout_init(context->loop, &((struct edge_filter *)filter)->linger_timeout, LINGER_MS);
}

void
edge_register(struct acceptor *acceptor, h2o_hostconf_t *host)
{
	struct edge_filter *filter = (void *)h2o_create_filter(&host->fallback_path, sizeof *filter);

	filter->super.on_context_init = on_context_init;
	filter->super.on_setup_ostream = on_setup;
	filter->acceptor = acceptor;
}
