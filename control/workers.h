/*
 * The threads that run handlers. Each has a connection to the webhooks' store of its own, which it opens when it needs
 * one. The loop's thread calls the functions here.
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
#define WORKERS_QUEUE_MAX 1024 /* calls that wait for a worker */

struct workers {
	struct control_context context;
	struct call_queue queue; /* to the workers */
	struct call_queue done; /* from them */
	int done_fd; /* readable when done has calls */
	struct store_gate gate;
	struct test_waits tests; /* calls that no worker has any more */
	pthread_t threads[WORKERS];
	uint32_t count; /* of threads */
};

/* Starts the threads; without an API there are none. The context is copied. Returns 0 or <0. */
int workers_start(struct workers *workers, const struct control_context *context, struct error *err);

/* Gives a call to the workers; returns false when too many wait, and the call stays the caller's. */
bool workers_give(struct workers *workers, struct call *call);

/* Takes a call back that no worker has begun. Returns false when one has: it comes back by workers_done(). */
bool workers_take_back(struct workers *workers, struct call *call);

/* The next call whose reply is ready; NULL: none. Makes done_fd unreadable when there is none. */
struct call *workers_done(struct workers *workers);

/* This process ends soon: calls that wait for the end of a test are answered now. */
void workers_end_tests(struct workers *workers);

/*
 * Ends the threads; waits until that instant of the steady clock at most. Returns false when one is still at work: what
 * it uses must not be released then.
 */
bool workers_stop(struct workers *workers, int64_t until_us);

#endif
