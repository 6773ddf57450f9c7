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
 * As connection_judge (server/client.h): refuses for want of a valid key. A request that is small or whole is not
 * looked at.
 */
bool early_refuses(struct connection *connection, struct refusal *refusal);

#endif
