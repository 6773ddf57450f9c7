/*
 * Runs the courier's store thread over a store of the program's own (tests/unit/jobs_fixture.h) and a segment of one
 * courier. Include after cmocka.h.
 */
#ifndef TESTS_STORE_THREAD_FIXTURE_H
#define TESTS_STORE_THREAD_FIXTURE_H

#include "courier/store_thread.h"

#define SECOND_US (1000 * 1000)

extern struct segment segment;
extern struct lane lane; /* OUTCOMES */
extern struct store_thread *thread; /* NULL: it does not run */

/* Set-up and tear-down of the group, and set-up and tear-down of a test. Each test has another tenant. */
int store_thread_set_up(void **state);
int store_thread_tear_down(void **state);
int store_thread_begin(void **state);
int store_thread_end(void **state);

void start(void);
void stop(void);

/* Sleeps for a millisecond, for loops that wait for a state. */
void rest(void);

/* Waits for the next message until that instant of CLOCK_MONOTONIC. The caller frees it. NULL: there is none. */
struct message *next_message(int64_t until_us);

/* Waits for the next message, which the caller frees. */
struct message *await_any(void);

/* Waits for the next message of that kind, which the caller frees, and skips others. */
struct message *await(enum message_kind kind);
void await_and_free(enum message_kind kind);

/* The name of the endpoint with that number (tests/unit/jobs_fixture.h), of the test's tenant. */
struct endpoint_name name_of(uint8_t endpoint);

/* Changes an endpoint as control does, by a statement whose $1 is the tenant. */
void change_endpoint(const char *sql);

/* Waits at most 5 seconds until the statement returns that number. Returns the last number. */
int64_t wait_for(const char *sql, int64_t expected);

#endif
