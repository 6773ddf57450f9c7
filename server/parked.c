/* Parking sets a read callback that reads nothing, before libh2o removes the descriptor from epoll. */
#include "server/parked.h"

#include "server/h2o_internals.h"

static void
on_early_bytes(h2o_socket_t *socket, const char *err)
{
	(void)err; /* the next read reports it again */
	/*
	 * Otherwise level-triggered epoll would wake every turn of the loop. After the reply libh2o resumes reading,
	 * because unpark() has allowed it.
	 */
	h2o_socket_read_stop(socket);
}

void
park(h2o_req_t *req)
{
	h2o_socket_t *socket = libh2o_socket_of(req->conn);

	h2o_socket_dont_read(socket, 1);
	h2o_socket_read_start(socket, on_early_bytes);
}

void
unpark(h2o_req_t *req)
{
	h2o_socket_dont_read(libh2o_socket_of(req->conn), 0);
}

bool
awaits_request(h2o_socket_t *socket)
{
	return h2o_socket_is_reading(socket) && libh2o_on_read(socket) != on_early_bytes;
}
