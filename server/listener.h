/*
 * Listening sockets: one per acceptor, all on the same address (SO_REUSEPORT), opened and kept by the master, so that
 * the connections queued for a dead acceptor wait for its successor.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdint.h>

#include "base/error.h"

/*
 * Opens count nonblocking, close-on-exec sockets listening on host (IPv4 or IPv6 literal, or a name: its first
 * address) and *port; port 0 lets the kernel choose and *port is set to its choice. Returns 0 with fds filled, or <0
 * with nothing open.
 */
int listeners_open(const char *host, uint16_t *port, uint32_t count, int *fds, struct error *err);

#endif
