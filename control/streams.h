/*
 * The clients of streams, and the thread that reads a store for all of them: a few statements per turn, and a few more
 * for each tenant with new rows, however many clients it has. It reads at once when this node has stored something, and
 * twice a second for rows of other nodes. Without clients it has no connection. There are two: one reads the webhooks'
 * store for GET /v1/stream, the other the store of hook events for GET /events/stream.
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

/* The most streams of a node, and of one tenant on it. */
#define STREAMS_MAX 1024u
#define STREAMS_TENANT_MAX 256u

struct streams;

/* The store that a thread reads. */
struct streams_store;
extern const struct streams_store streams_of_webhooks, streams_of_hook_events;

/* Starts the thread; slot is this process's. Everything is borrowed. NULL: failed, with *err. */
struct streams *streams_start(const struct streams_store *store, const struct config *config,
    const struct segment *segment, struct process_slot *slot, const struct db_env *env,
    struct error *err); /* six: what a process has, and which streams */

/* Ends the thread; waits until until_us (steady) at most. false: it is still at work. */
bool streams_stop(struct streams *streams, int64_t until_us);

enum streams_condition { STREAMS_FULL = 1, STREAMS_TENANT_FULL, STREAMS_END, STREAMS_UNAVAILABLE };

/* Adds a stream. 0: it now ends by stream_leave(). A condition: it stays the caller's. Any thread. */
int streams_add(struct streams *streams, struct stream *stream);

/* After STREAMS_UNAVAILABLE: why, as a sentence. Any thread. */
const char *streams_unavailable(struct streams *streams);

/* A descriptor that is readable when streams have got text; the call that resets it. The loop's thread. */
int streams_fd(const struct streams *streams);
void streams_clear_fd(struct streams *streams);

/* Ends all streams, and accepts no more, because this process ends soon. The loop's thread. */
void streams_end(struct streams *streams);

#endif
