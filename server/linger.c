/* Reads and drops input of closed connections for a limited time. */
#include "server/linger.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

#define LINGER_US (2 * 1000 * 1000)
#define LINGER_BYTES_MAX (64u << 20)
/* Beyond this number the oldest end, so that clients cannot use up descriptors by being refused. */
#define LINGERING_MAX 1000

struct lingering {
	struct linger_list *linger;
	h2o_socket_t *socket;
	h2o_linklist_t link;
	int64_t until_us; /* steady */
	size_t bytes;
};

static void
linger_end(struct lingering *lingering)
{
	h2o_linklist_unlink(&lingering->link);
	h2o_socket_close(lingering->socket);
	lingering->linger->count--;
	free(lingering);
}

static void
on_linger_read(h2o_socket_t *socket, const char *err)
{
	struct lingering *lingering = socket->data;

	lingering->bytes += socket->input->size;
	h2o_buffer_consume(&socket->input, socket->input->size);
	if (err != NULL || lingering->bytes > LINGER_BYTES_MAX)
		linger_end(lingering);
}

void
linger_init(struct linger_list *linger, h2o_loop_t *loop)
{
	linger->loop = loop;
	linger->count = 0;
	h2o_linklist_init_anchor(&linger->connections);
}

static struct lingering *
first_of(struct linger_list *linger)
{
	return H2O_STRUCT_FROM_MEMBER(struct lingering, link, linger->connections.next);
}

void
linger_on(struct linger_list *linger, int fd)
{
	struct lingering *lingering = mem_new(1, sizeof *lingering);

	(void)shutdown(fd, SHUT_WR);
	lingering->linger = linger;
	lingering->socket = h2o_evloop_socket_create(linger->loop, fd, 0);
	lingering->socket->data = lingering;
	lingering->until_us = clock_steady_us() + LINGER_US;
	h2o_linklist_insert(&linger->connections, &lingering->link); /* at the end */
	if (++linger->count > LINGERING_MAX)
		linger_end(first_of(linger));
	h2o_socket_read_start(lingering->socket, on_linger_read);
}

int32_t
linger_step(struct linger_list *linger, int64_t now_us, int32_t most_ms)
{
	while (!h2o_linklist_is_empty(&linger->connections)) {
		struct lingering *first = first_of(linger);

		if (first->until_us > now_us)
			return clock_wait_ms(first->until_us, now_us, most_ms);
		linger_end(first);
	}
	return most_ms;
}
