/*
 * The courier's second thread as tests see it: over a store of the program's own (tests/unit/jobs_fixture.h) and a
 * segment of one courier. Include after cmocka.h.
 */
#ifndef TESTS_STORE_THREAD_FIXTURE_H
#define TESTS_STORE_THREAD_FIXTURE_H

#include "courier/store_thread.h"

#define SECOND_US (1000 * 1000)

extern struct segment segment;
extern struct lane lane; /* OUTCOMES */
extern struct store_thread *thread; /* NULL: it does not run */

/* Of the group, and of a test: another tenant for each. */
int store_thread_set_up(void **state);
int store_thread_tear_down(void **state);
int store_thread_begin(void **state);
int store_thread_end(void **state);

void start(void);
void stop(void);

/* A millisecond, between two looks at something. */
void rest(void);

/* The next message before that instant of CLOCK_MONOTONIC, which the caller frees; NULL: there is none. */
struct message *next_message(int64_t until_us);

/* The next message, which the caller frees. */
struct message *await_any(void);

/* The next message of that kind, which the caller frees; others before it are passed over. */
struct message *await(enum message_kind kind);
void await_and_free(enum message_kind kind);

/* The endpoint of that number (tests/unit/jobs_fixture.h), of the test's tenant. */
struct endpoint_name name_of(uint8_t endpoint);

/* A change of an endpoint as control makes it, by a statement whose $1 is the tenant. */
void change_endpoint(const char *sql);

/* Waits until the statement gives that number, at most 5 seconds. Returns what it gives then. */
int64_t wait_for(const char *sql, int64_t expected);

#endif
