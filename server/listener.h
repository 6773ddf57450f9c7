/*
 * Listening sockets. The service's own: one per acceptor, all on the same address (SO_REUSEPORT), opened by the master
 * and kept until a drain begins, so that the connections queued for a dead acceptor wait for its successor. Or those
 * that a service manager has opened and passed (sd_listen_fds(3)), which outlive the service: every acceptor listens on
 * each of them, so that an idle service wakes several acceptors for one connection, of which one gets it.
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
	char host[LISTENER_HOST_BYTES]; /* where the first one listens: HOST, or the address of a passed socket */
	uint16_t port;
};

/*
 * Opens count nonblocking, close-on-exec sockets listening on host (IPv4 or IPv6 literal, or a name: its first IPv4
 * address, or else its first) and port; with 0 the kernel chooses one, which listeners->port says. "::" also serves
 * IPv4; where the kernel has no IPv6 it is replaced by "0.0.0.0", with a warning. Returns 0, or <0 with nothing open.
 */
int listeners_open(struct listeners *listeners, const char *host, uint16_t port, uint32_t count, struct error *err);

/* Whether listeners_open() could listen there, but for another program that has the port now. Returns 0 or <0. */
int listeners_check(const char *host, uint16_t port, struct error *err);

/*
 * Takes the sockets that LISTEN_FDS and LISTEN_PID say were passed to this process, from descriptor 3 on, and makes
 * them nonblocking and close-on-exec. Returns how many there are, 0 for none, or <0 when the variables or the sockets
 * are of no use.
 */
int listeners_passed(struct listeners *listeners, struct error *err);

/* Whether that acceptor serves fds[number]. */
bool listeners_serves(const struct listeners *listeners, uint32_t acceptor, uint32_t number);

/* Closes this process's copies of those that the acceptor does not serve. */
void listeners_close_others(const struct listeners *listeners, uint32_t acceptor);

/* Closes this process's copies of all. There are none in listeners after that. */
void listeners_close(struct listeners *listeners);

/*
 * For a socket that every process is about to close: lets handshakes that have begun reach the accept queue, and begins
 * no other. A client that tries meanwhile gets no answer, tries again after a second, and is refused. Without this the
 * socket would be closed with connections in its queue and reset them, although they had been promised an answer.
 */
void listener_refuse(int fd);

#endif
