/*
 * Runs a scenario again and again, each time with another call failing, until a run makes fewer calls than that; and
 * looks each time at what it has left. Every step has a process of its own. Include after cmocka.h.
 *
 * With TORTURE_LOG in the environment those processes' log is shown.
 */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/faults/faults.h"

/*
 * What a scenario did, in memory that its processes and the test share: by the number of an event.
 * Zero at the start of every run.
 */
struct torture_log {
	uint8_t promised[256]; /* the module has said that this event is safe */
	uint8_t tried[256]; /* so often it was given the event */
	uint8_t delivered[256]; /* so often the event came out, and the module was told that it is stored */
};

struct torture {
	void (*prepare)(struct torture_log *log); /* without faults: the world in which run() begins */
	void (*run)(struct torture_log *log); /* may fail in every way but a crash, a hang or a broken promise */
	void (*check)(struct torture_log *log); /* without faults: what run() has left works, no promise is broken */
};

/* With every group of calls, each failing once and from some call on. Fails the cmocka test with what went wrong. */
void torture(const struct torture *torture);

/* The assertion for these steps: says what is wrong and ends the process. */
#define torture_assert(condition, ...)                                                                                 \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			torture_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                     \
	} while (0)
void torture_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

/* A directory of the test program's own, emptied before each run and removed in the end (cmocka's group functions). */
extern char torture_directory[];
int torture_make_directory(void **state);
int torture_remove_directory(void **state);

#endif
