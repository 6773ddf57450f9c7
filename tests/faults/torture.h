/*
 * Runs a scenario again and again. In each run another call fails, until a run makes fewer calls than that. After each
 * run it checks the result. Every step has a process of its own. Include after cmocka.h.
 *
 * TORTURE_LOG in the environment shows the log of these processes.
 */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/faults/faults.h"

/*
 * What a scenario did, by the number of an event, in memory that its processes and the test share. Zero at the start of
 * every run.
 */
struct torture_log {
	uint8_t promised[256]; /* the module has said that this event is safe */
	uint8_t tried[256]; /* how often it was given the event */
	uint8_t delivered[256]; /* how often it gave the event out, and was told that it is stored */
};

struct torture {
	void (*prepare)(struct torture_log *log); /* without faults: makes the files with which run() begins */
	void (*run)(struct torture_log *log); /* may fail in every way but a crash, a hang or a broken promise */
	void (*check)(struct torture_log *log); /* without faults: run()'s files must work, and no promise be broken */
};

/*
 * Runs the scenario with every group of calls, where each call fails once, or all calls from one on. Fails the cmocka
 * test with the reason.
 */
void torture(const struct torture *torture);

/* The assertion for these steps: prints what is wrong, and ends the process. */
#define torture_assert(condition, ...)                                                                                 \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			torture_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                     \
	} while (0)
void torture_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

/*
 * A directory of the test program's own. It is emptied before each run and removed at the end (cmocka's group
 * functions).
 */
extern char torture_directory[];
int torture_make_directory(void **state);
int torture_remove_directory(void **state);

#endif
