/*
 * Runs code in a child one machine instruction at a time and lets the caller look at the shared memory between any
 * two of them: what is right after every instruction survives SIGKILL at every instruction.
 */
#ifndef TESTS_SINGLE_STEP_H
#define TESTS_SINGLE_STEP_H

#include <stdbool.h>

/*
 * Forks a child that calls run(context); after each of its instructions calls look(context) here. Returns how many
 * there were, or 0 when this machine cannot do it (not x86-64: elsewhere a step breaks load-exclusive loops for
 * ever; or ptrace is forbidden). Ends the process when the child fails.
 */
unsigned long single_step(void (*run)(void *context), void (*look)(void *context), void *context);

#endif
