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

/* Before the first one. */
void linger_init(struct acceptor *acceptor);

/* At every turn of the loop: ends those that have lingered long enough. Returns in how many milliseconds to look again. */
int32_t linger_look(struct acceptor *acceptor, int64_t now_us, int32_t most_ms);

#endif
