/* The acceptor process: one libh2o loop, its listening sockets, a lane to every writer. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdint.h>

#include "config/config.h"
#include "server/listener.h"
#include "shm/segment.h"

struct ssl_ctx_st;

/* An acceptor's ends of the master's channels. */
struct acceptor_ends {
	int handover[2]; /* for sending and for receiving connections */
	int control; /* for frames (api/frame.h) */
};

/*
 * Runs acceptor `index` until it has drained: serves its listeners and the connections handed over by its predecessor.
 * tls: NULL for plain HTTP. Runs in the child; returns the exit code. Borrows its arguments for the life of the
 * process.
 */
int acceptor_main(const struct config *config, const struct segment *segment, uint32_t index,
    const struct listeners *listeners, const struct acceptor_ends *ends, struct ssl_ctx_st *tls);

#endif
