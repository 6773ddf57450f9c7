/* Reading what nobody wants, for a while. */
#include "server/linger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

#define LINGER_MS 2000
#define LINGER_BYTES_MAX (64u << 20)

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

void
linger(struct acceptor *acceptor, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct lingering *l;

	if (copy < 0)
		return; /* the client may miss the reason, nothing worse */
	(void)shutdown(copy, SHUT_WR);
	l = mem_new(1, sizeof *l);
	l->acceptor = acceptor;
	l->acceptor->connections++; /* an acceptor that leaves waits for it */
	l->socket = h2o_evloop_socket_create(acceptor->context.loop, copy, 0);
	l->socket->data = l;
	l->entry.cb = on_linger_timeout;
	h2o_timeout_link(acceptor->context.loop, &acceptor->linger_timeout, &l->entry);
	h2o_socket_read_start(l->socket, on_linger_read);
}

/* One time-out for all: libh2o walks the list of them in every turn, and one may not be disposed of in its own callback. */
void
linger_init(struct acceptor *acceptor)
{
	h2o_timeout_init(acceptor->context.loop, &acceptor->linger_timeout, LINGER_MS);
}
