/*
 * The state of an acceptor process, and the acceptance of connections. Each part of struct acceptor has its own header;
 * modules that need several parts take the whole acceptor. One per process.
 */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/repeat.h"
#include "base/uuid.h"
#include "config/config.h"
#include "server/connection.h"
#include "server/control_link.h"
#include "server/linger.h"
#include "server/listener.h"
#include "server/outlet.h"
#include "shm/segment.h"

/* The listening sockets of this acceptor. */
struct accepting {
	h2o_socket_t *listeners[LISTENERS_MAX];
	uint32_t count; /* 0: not listening yet, or listeners closed */
	uint16_t port;
	int64_t paused_until_us; /* steady: end of a pause for lack of descriptors or connections; 0: not paused */
	struct repeat no_descriptors, full; /* full: MAX_CONNECTIONS */
};

struct acceptor {
	const struct config *config;
	const struct segment *segment;
	struct process_slot *slot; /* of this process */
	h2o_globalconf_t globalconf;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	struct accepting accepting;
	struct connections connections;
	struct linger_list linger;
	struct outlets events; /* to the writers */
	struct outlets publishes; /* to the publishers, if there are any */
	struct control_link control;
	struct uuid_source ids;
};

/* Starts to accept connections from that socket, too. */
void acceptor_listen(struct acceptor *acceptor, int fd);

/* Starts or stops accepting from the listeners. */
void acceptor_accept(struct acceptor *acceptor, bool on);

/*
 * Called in each turn of the loop: ends a pause that a lack of descriptors or MAX_CONNECTIONS caused. Returns the
 * milliseconds until the pause ends, at most most_ms.
 */
int32_t acceptor_step(struct acceptor *acceptor, int64_t now_us, int32_t most_ms);

/* Accepts every connection in the accept queues. */
void acceptor_empty_queues(struct acceptor *acceptor);

/* Closes this process's copies of the listeners. */
void acceptor_close_listeners(struct acceptor *acceptor);

/* The number of open connections, including lingering ones. */
uint32_t acceptor_connections(const struct acceptor *acceptor);

#endif
