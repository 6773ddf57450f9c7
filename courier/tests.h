/*
 * Tests of endpoints: single attempts that a person has asked for, beside the jobs. Nothing holds them back, and they
 * count for nothing: limits, circuit breakers, runs of failures and jobs know nothing of them. The loop's thread alone
 * calls these functions.
 */
#ifndef COURIER_TESTS_H
#define COURIER_TESTS_H

#include <stdint.h>
#include <sys/queue.h>

#include "courier/attempt.h"
#include "courier/http.h"
#include "courier/news.h"
#include "courier/store_thread.h"

struct tests {
	struct http *http; /* borrowed, as thread */
	struct store_thread *thread;
	TAILQ_HEAD(test_list, test) under_way;
	uint32_t count;
};

void tests_open(struct tests *tests, struct http *http, struct store_thread *thread);

/* NEWS_TEST: begins the attempt, and takes what it needs out of the news. */
void tests_begin(struct tests *tests, struct news *news);

/* The test whose attempt has that id; NULL: it is no test's. */
struct test *tests_find(const struct tests *tests, const uint8_t attempt_id[16]);

/* Its attempt has ended: has the store thread write down what came of it. */
void tests_end(struct tests *tests, struct test *test, const struct attempt_result *result);

/* Its attempt was cut off by the end of a drain: its row is all that stays. */
void tests_cut_off(struct tests *tests, struct test *test);

#endif
