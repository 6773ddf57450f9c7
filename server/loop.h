/* The acceptor process: one libh2o loop, its listening sockets, a lane to every writer. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdint.h>

#include "config/config.h"
#include "server/listener.h"
#include "shm/segment.h"

struct ssl_ctx_st;

/* The ends of channels that an acceptor has, of those that the master holds. */
struct acceptor_ends {
	int handover[2]; /* for sending connections, and for receiving them */
	int control; /* for frames (api/frame.h) */
};

/*
 * Serves the listeners that are acceptor index's, and the connections that its predecessor has handed over, until told
 * to drain. tls: by which TLS is spoken; NULL: plain HTTP is. Runs in the child; its result is the exit code. Borrows
 * its arguments for the life of the process.
 */
int acceptor_main(const struct config *config, const struct segment *segment, uint32_t index,
    const struct listeners *listeners, const struct acceptor_ends *ends, struct ssl_ctx_st *tls);

#endif
