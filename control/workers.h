/*
 * The threads that run handlers. Each has its own connection to the webhooks' store, which it opens when it needs one.
 * The loop's thread calls these functions.
 */
#ifndef CONTROL_WORKERS_H
#define CONTROL_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "control/call_queue.h"
#include "control/request.h"
#include "control/store_gate.h"
#include "control/test_waits.h"

#define WORKERS 4
#define WORKERS_QUEUE_MAX 1024 /* most calls that wait for a worker */

struct workers {
	struct control_context context;
	struct call_queue queue; /* to the workers */
	struct call_queue done; /* calls back from them */
	int done_fd; /* readable when done has calls */
	struct store_gate gate;
	struct test_waits tests; /* calls that wait for the end of a test */
	pthread_t threads[WORKERS];
	uint32_t count; /* number of threads */
};

/* Starts the threads; without an API there are none. The context is copied. Returns 0 or <0. */
int workers_start(struct workers *workers, const struct control_context *context, struct error *err);

/*
 * Gives a call to the workers. false: too many wait, and the call stays the caller's. A call for a stream is answered
 * at once, even while the store is away.
 */
bool workers_give(struct workers *workers, struct call *call);

/* Takes a call back that no worker has begun. false: one has begun, and the call comes back by workers_done(). */
bool workers_take_back(struct workers *workers, struct call *call);

/* The next call whose reply is ready; NULL: none. Makes done_fd unreadable when there is none. */
struct call *workers_done(struct workers *workers);

/* Answers calls that wait for the end of a test, because this process ends soon. */
void workers_end_tests(struct workers *workers);

/*
 * Ends the threads; waits until until_us (steady) at most. false: one is still at work, and its resources must not be
 * released.
 */
bool workers_stop(struct workers *workers, int64_t until_us);

#endif
