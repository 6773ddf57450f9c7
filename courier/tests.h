/*
 * Tests of endpoints: single attempts that a person has asked for. They are independent of jobs, limits, circuit
 * breakers and runs of failures, which neither hold them back nor count them. The loop's thread alone calls these
 * functions.
 */
#ifndef COURIER_TESTS_H
#define COURIER_TESTS_H

#include <stdint.h>
#include <sys/queue.h>

#include "courier/attempt.h"
#include "courier/http.h"
#include "courier/messages.h"
#include "courier/store_thread.h"

struct tests {
	struct http *http; /* borrowed, as thread */
	struct store_thread *thread;
	TAILQ_HEAD(test_list, test) under_way;
	uint32_t count;
};

void tests_open(struct tests *tests, struct http *http, struct store_thread *thread);

/* MESSAGE_TEST: begins the attempt, and takes config and memory out of the message. */
void tests_begin(struct tests *tests, struct message *message);

/* The test whose attempt has that id; NULL: none. */
struct test *tests_find(const struct tests *tests, const uint8_t attempt_id[16]);

/* Ends the test: has the store thread store the result of its attempt. */
void tests_end(struct tests *tests, struct test *test, const struct attempt_result *result);

/* Frees a test whose attempt was cut off by the end of a drain. Its row stays. */
void tests_cut_off(struct tests *tests, struct test *test);

#endif
