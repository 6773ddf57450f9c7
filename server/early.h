/*
 * What a request is refused for by its head alone, before its body is kept in memory: strangers shall not take memory
 * for bodies that are refused when they are whole. Acceptors.
 */
#ifndef SERVER_EARLY_H
#define SERVER_EARLY_H

#include <stdbool.h>

struct connection;
struct refusal;

/*
 * The head of a request has come whole. Returns whether the request is refused, for want of a valid key or because of
 * the length that it tells; else sets connection->most_body. A request that is small or whole is not looked at.
 */
bool early_refuses(struct connection *connection, struct refusal *refusal);

/* The refusal of a body that has turned out to be longer than connection->most_body. */
extern const struct refusal early_too_large;

#endif
