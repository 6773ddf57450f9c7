/*
 * Calls that wait for the end of a test without occupying a worker, so that slow endpoints do not block other requests.
 * One thread with its own connection checks which tests have ended, and gives the calls back. Any thread may call these
 * functions.
 */
#ifndef CONTROL_TEST_WAITS_H
#define CONTROL_TEST_WAITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/call.h"
#include "control/request.h"

/* The approximate limits of tests under way at a time, on this node and of one tenant. */
#define TEST_WAITS_MOST 64
#define TEST_WAITS_TENANT_MOST 20

enum test_waits_room { TEST_WAITS_ROOM, TEST_WAITS_TENANT_FULL, TEST_WAITS_FULL };

/* Takes a call whose reply is ready. */
typedef void test_waits_done(void *context, struct call *call);

struct test_waits {
	const struct config *config;
	const struct segment *segment;
	const struct db_env *env;
	test_waits_done *done;
	void *context;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct call *first;
	uint32_t count;
	bool ending; /* calls are answered at once, as if they had timed out */
	bool stopping;
};

/* Starts the thread. The caller has set config, segment, env, done and context, which are borrowed. 0 or <0. */
int test_waits_start(struct test_waits *waits, struct error *err);

/* Whether another test of the tenant may begin. */
enum test_waits_room test_waits_room(struct test_waits *waits, const char *tenant_id);

/*
 * Takes a call with an open reply (control/request.h). Gives it back with the attempt's result, or with 504 at
 * call->reply.open_until_us.
 */
void test_waits_add(struct test_waits *waits, struct call *call);

/* For the end of the process: waiting calls, and those added later, get 504 at once. */
void test_waits_end(struct test_waits *waits);

/* Ends the thread; waits until until_us (steady) at most. false: it is still at work. */
bool test_waits_stop(struct test_waits *waits, int64_t until_us);

#endif
