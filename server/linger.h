/*
 * A lingering close. Closing a socket with unread input resets the connection, so a client that is still sending would
 * often not see the refusal. Acceptors.
 */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include <stdint.h>

#include <h2o.h>

/* The lingering connections of an acceptor. */
struct linger_list {
	h2o_loop_t *loop;
	h2o_linklist_t connections; /* in the order of their deadlines */
	uint32_t count;
};

/* Call it before the first connection. */
void linger_init(struct linger_list *linger, h2o_loop_t *loop);

/*
 * Takes over fd, a duplicate of the descriptor of a closed socket whose last answer was written. Ends its sending side,
 * and reads until the client closes or a limit is reached.
 */
void linger_on(struct linger_list *linger, int fd);

/*
 * Called in each turn of the loop: closes connections that have lingered long enough. Returns the milliseconds until
 * the next is due, at most most_ms.
 */
int32_t linger_step(struct linger_list *linger, int64_t now_us, int32_t most_ms);

#endif
