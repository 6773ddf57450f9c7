/*
 * Listening sockets. The service opens one per acceptor, all on the same address (SO_REUSEPORT); the master keeps them
 * until a drain begins, so that connections queued for a dead acceptor wait for its successor. Or a service manager has
 * opened and passed sockets (sd_listen_fds(3)), which outlive the service: every acceptor listens on each of them, so
 * one connection may wake several idle acceptors.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

#define LISTENERS_MAX ACCEPTORS_MAX

#define LISTENER_HOST_BYTES 256

struct listeners {
	int fds[LISTENERS_MAX];
	uint32_t count;
	bool passed; /* by a service manager */
	char host[LISTENER_HOST_BYTES]; /* the first socket's: HOST, or the address of a passed socket */
	uint16_t port;
};

/*
 * Opens count nonblocking, close-on-exec sockets listening on host and port. host is an IPv4 or IPv6 literal, or a
 * name, of which the first IPv4 address is used, else the first address. With port 0 the kernel chooses one and
 * listeners->port is set. "::" also serves IPv4; on a kernel without IPv6 it becomes "0.0.0.0", with a warning. Returns
 * 0, or <0 with nothing open.
 */
int listeners_open(struct listeners *listeners, const char *host, uint16_t port, uint32_t count, struct error *err);

/* Checks that listeners_open() could listen there, if the port were free. Returns 0 or <0. */
int listeners_check(const char *host, uint16_t port, struct error *err);

/*
 * Takes over the sockets passed to this process by LISTEN_FDS and LISTEN_PID, from descriptor 3 on, and makes them
 * nonblocking and close-on-exec. Returns their number, 0 for none, or <0 if the variables or sockets are invalid.
 */
int listeners_passed(struct listeners *listeners, struct error *err);

/* Whether that acceptor serves fds[number]. */
bool listeners_serves(const struct listeners *listeners, uint32_t acceptor, uint32_t number);

/* Closes this process's copies of the sockets that the acceptor does not serve. */
void listeners_close_others(const struct listeners *listeners, uint32_t acceptor);

/* Closes this process's copies of all sockets and empties listeners. */
void listeners_close(struct listeners *listeners);

/*
 * The master calls this before it ends the acceptors: the service's own sockets let TCP handshakes in progress
 * complete, and drop new ones. A new client's kernel retries after a second and is refused. Without this, closing the
 * sockets would reset established connections in their queues. Passed sockets stay as they are. An acceptor could not
 * do this in its sandbox: some kernels let only root attach a filter.
 */
void listeners_refuse(const struct listeners *listeners);

#endif
