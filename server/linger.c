/* Reading what nobody wants, for a while. */
#include "server/linger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

#define LINGER_US (2 * 1000 * 1000)
#define LINGER_BYTES_MAX (64u << 20)

struct lingering {
	struct acceptor *acceptor;
	h2o_socket_t *socket;
	h2o_linklist_t link; /* of the acceptor's list, in the order of until_us */
	int64_t until_us; /* steady */
	size_t bytes;
};

static void
linger_end(struct lingering *l)
{
	h2o_linklist_unlink(&l->link);
	h2o_socket_close(l->socket);
	l->acceptor->connections--;
	free(l);
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
	l->until_us = clock_steady_us() + LINGER_US;
	h2o_linklist_insert(&acceptor->lingering, &l->link); /* at its end */
	h2o_socket_read_start(l->socket, on_linger_read);
}

void
linger_init(struct acceptor *acceptor)
{
	h2o_linklist_init_anchor(&acceptor->lingering);
}

int32_t
linger_look(struct acceptor *acceptor, int64_t now_us, int32_t most_ms)
{
	while (!h2o_linklist_is_empty(&acceptor->lingering)) {
		struct lingering *l = H2O_STRUCT_FROM_MEMBER(struct lingering, link, acceptor->lingering.next);

		if (l->until_us > now_us)
			return clock_wait_ms(l->until_us, now_us, most_ms);
		linger_end(l);
	}
	return most_ms;
}
