/*
 * A lingering close. Closing a socket with unread input resets it, so a client that is still sending often never sees
 * why it was refused. Acceptors.
 */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include <stdint.h>

#include <h2o.h>

/* The lingering connections of an acceptor. */
struct linger_list {
	h2o_loop_t *loop;
	h2o_linklist_t connections; /* in the order in which their time ends */
	uint32_t count;
};

/* Before the first one. */
void linger_init(struct linger_list *linger, h2o_loop_t *loop);

/*
 * For a connection that has got its last answer and whose socket has been closed. fd, a duplicate of that socket's
 * descriptor, is linger's from now on: says that no more will be sent, and reads what still comes until the client
 * closes or a bound is reached.
 */
void linger_on(struct linger_list *linger, int fd);

/*
 * In each turn of the loop: ends the connections that have lingered long enough. Returns in how many milliseconds the
 * next one is due, at most most_ms.
 */
int32_t linger_step(struct linger_list *linger, int64_t now_us, int32_t most_ms);

#endif
