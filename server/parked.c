/* Parking is a read callback that reads nothing, set before libh2o has told epoll that reading has stopped. */
#include "server/parked.h"

#include "server/h2o_internals.h"

static void
on_early_bytes(h2o_socket_t *socket, const char *err)
{
	(void)err; /* the next read reports it again */
	/*
	 * Otherwise level-triggered epoll would wake the loop in every turn. libh2o resumes reading after the reply,
	 * because unpark() has allowed it.
	 */
	h2o_socket_read_stop(socket);
}

void
park(h2o_req_t *req)
{
	h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);

	h2o_socket_dont_read(socket, 1);
	h2o_socket_read_start(socket, on_early_bytes);
}

void
unpark(h2o_req_t *req)
{
	h2o_socket_dont_read(req->conn->callbacks->get_socket(req->conn), 0);
}

bool
awaits_request(h2o_socket_t *socket)
{
	return h2o_socket_is_reading(socket) && libh2o_on_read(socket) != on_early_bytes;
}
