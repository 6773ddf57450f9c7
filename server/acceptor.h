/*
 * The acceptor process: one libh2o loop, its listening sockets, one lane to every writer.
 */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include <h2o.h>
#include <stdint.h>

#include "config/config.h"
#include "base/repeat.h"
#include "ingest/uuid.h"
#include "server/handover.h"
#include "server/listener.h"
#include "server/pending.h"
#include "shm/segment.h"

struct acceptor {
	const struct config *config;
	const struct segment *segment;
	struct process_slot *slot; /* this process's own */
	struct lane lanes[WRITERS_MAX];
	struct pending_queue pending[WRITERS_MAX];
	struct wake writers[WRITERS_MAX];
	struct uuid_source ids;
	h2o_globalconf_t globalconf;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	h2o_socket_t *listeners[LISTENERS_MAX];
	uint32_t listener_count; /* 0: not yet, or not any more */
	bool listeners_passed; /* they are a service manager's */
	h2o_socket_t *signals, *wakes; /* the descriptors this process watches besides its connections */
	uint32_t connections;
	h2o_linklist_t resting, busy, lingering; /* of connections: server/connection.c, linger.c */
	char keep_alive[32]; /* the value of that header */
	int64_t leaving_since_us; /* steady; 0: it stays. This and the next ones: server/drain.c */
	bool hands_over; /* leaving: to a successor */
	struct handover_batch batch; /* not sent yet */
	int handover_fds[2]; /* to its successor, from its predecessor: server/handover.h */
	int64_t paused_until_us; /* steady: no descriptor was left for a connection; 0: connections are taken */
	struct repeat no_descriptors;
	int signal_fd;
};

/*
 * Serves the listeners that are acceptor index's, and the connections that its predecessor has handed over, until told to
 * drain. Runs in the child; its result is the exit code. Borrows its arguments for the life of the process.
 */
int acceptor_main(const struct config *config, const struct segment *segment, uint32_t index,
    const struct listeners *listeners, const struct handover *handover);

/* Begins or stops to take connections from the listeners. */
void acceptor_accept(struct acceptor *acceptor, bool on);

#endif
