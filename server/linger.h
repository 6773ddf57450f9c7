/*
 * A lingering close. Closing a socket with unread input resets it, so a client that is still sending often never sees why
 * it was refused.
 */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include "server/acceptor.h"

/*
 * For a connection that has got its last answer, right before its socket is closed: says on a duplicate of fd that no
 * more will be sent, and reads what still comes until the client closes or a bound is reached. Acceptor only.
 */
void linger(struct acceptor *acceptor, int fd);

/* Before the first one, when the acceptor has its loop. */
void linger_init(struct acceptor *acceptor);

#endif
