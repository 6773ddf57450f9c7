/*
 * Runs code in a child one machine instruction at a time, and lets the caller look at the shared memory between any two
 * of them. Memory that is right after every instruction is right whenever SIGKILL comes.
 */
#ifndef TESTS_SINGLE_STEP_H
#define TESTS_SINGLE_STEP_H

#include <stdbool.h>

/*
 * Forks a child that calls run(context). After each of its instructions calls look(context) in this process. Returns
 * the number of instructions, or 0 if this machine cannot single-step: it is not x86-64 (elsewhere a step breaks
 * load-exclusive loops for ever), or ptrace is forbidden. Ends the process when the child fails.
 */
unsigned long single_step(void (*run)(void *context), void (*look)(void *context), void *context);

#endif
