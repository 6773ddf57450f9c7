/*
 * Refuses requests by their head, before their bodies take memory: strangers shall not fill memory with bodies that
 * will be refused anyway. Acceptors.
 */
#ifndef SERVER_EARLY_H
#define SERVER_EARLY_H

#include <stdbool.h>

struct connection;
struct refusal;

/* The connection_refuses (server/client.h) of an acceptor: no valid key, unless it is small or has come whole. */
bool early_refuses(struct connection *connection, struct refusal *refusal);

#endif
