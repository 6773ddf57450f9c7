/*
 * The clients of GET /v1/stream, and the one thread that reads the store for all of them: a few statements a tenant and
 * turn, however many clients the tenant has. It looks at once when this node has stored something, and twice a second
 * for what others store. Without clients it has no connection.
 */
#ifndef CONTROL_STREAMS_H
#define CONTROL_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "control/stream.h"
#include "shm/segment.h"
#include "store/db_env.h"

/* On one node, and of these of one tenant. */
#define STREAMS_MAX 1024u
#define STREAMS_TENANT_MAX 256u

struct streams;

/* Starts the thread; slot is that of this process. Everything is borrowed. NULL with *err. */
struct streams *streams_start(const struct config *config, const struct segment *segment, struct process_slot *slot,
    const struct db_env *env, struct error *err);

/* Ends the thread; waits until that instant of the steady clock at most. Returns false when it is still at work. */
bool streams_stop(struct streams *streams, int64_t until_us);

enum streams_condition { STREAMS_FULL = 1, STREAMS_TENANT_FULL, STREAMS_END };

/* Begins a stream, which is then stream_leave()'s. One of the conditions: it stays the caller's. Any thread. */
int streams_add(struct streams *streams, struct stream *stream);

/* A descriptor that is readable when streams have got text, and what makes it unreadable. The loop's thread. */
int streams_fd(const struct streams *streams);
void streams_heard(struct streams *streams);

/* This process ends soon: ends all streams, and takes no more. The loop's thread. */
void streams_end(struct streams *streams);

#endif
