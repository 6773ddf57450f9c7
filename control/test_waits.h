/*
 * Calls that wait for the end of a test: the reply is not a worker's, so tests of slow endpoints keep no worker from
 * others. One thread with a connection of its own looks which tests have ended, and gives the calls back. The functions
 * here may be called by any thread.
 */
#ifndef CONTROL_TEST_WAITS_H
#define CONTROL_TEST_WAITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/call.h"
#include "control/request.h"

/* About so many tests are under way at the same time, on this node. */
#define TEST_WAITS_MOST 64
#define TEST_WAITS_TENANT_MOST 20

enum test_waits_room { TEST_WAITS_ROOM, TEST_WAITS_TENANT_FULL, TEST_WAITS_FULL };

/* Takes a call whose reply is there. */
typedef void test_waits_done(void *context, struct call *call);

struct test_waits {
	const struct config *config;
	const struct segment *segment;
	const struct db_env *env;
	test_waits_done *done;
	void *context;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct call *first;
	uint32_t count;
	bool ending; /* calls are answered at once, as if their time were over */
	bool stopping;
};

/* Starts the thread, with config, segment, env, done and context set, which are borrowed. 0 or <0. */
int test_waits_start(struct test_waits *waits, struct error *err);

/* Whether another test of the tenant may begin. */
enum test_waits_room test_waits_room(struct test_waits *waits, const char *tenant_id);

/*
 * Takes a call whose reply is open until call->reply.open_until_us (control/request.h), and gives it back with the
 * attempt's result, or then with 504.
 */
void test_waits_add(struct test_waits *waits, struct call *call);

/* For the end of the process: calls that wait, and those that are added later, get 504 at once. */
void test_waits_end(struct test_waits *waits);

/* Ends the thread; waits until that instant of the steady clock at most. false: it is still at work. */
bool test_waits_stop(struct test_waits *waits, int64_t until_us);

#endif
