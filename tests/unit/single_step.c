/* Single-stepping a child; see the header. */
#include "tests/unit/single_step.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lane_fixture.h"

#if defined(__x86_64__)
#define CANNOT_TRACE 77

/* The child stops before and after the code that is to be stepped through, so that its start and its end are not. */
static void
be_stepped(void (*run)(void *context), void *context)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(CANNOT_TRACE);
	(void)kill(getpid(), SIGSTOP);
	run(context);
	(void)kill(getpid(), SIGSTOP);
	_exit(0);
}

unsigned long
single_step(void (*run)(void *context), void (*look)(void *context), void *context)
{
	unsigned long steps = 0;
	pid_t child = fork();
	int status;

	REQUIRE(child >= 0);
	if (child == 0)
		be_stepped(run, context);
	REQUIRE(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_TRACE)
		return 0;
	do {
		REQUIRE(WIFSTOPPED(status)); /* a REQUIRE of the child's own would have ended it */
		look(context);
		REQUIRE(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
		REQUIRE(waitpid(child, &status, 0) == child);
		steps++;
	} while (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGTRAP);
	REQUIRE(WSTOPSIG(status) == SIGSTOP);
	look(context);
	REQUIRE(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
	REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return steps;
}
#else
unsigned long
single_step(void (*run)(void *context), void (*look)(void *context), void *context)
{
	return 0;
}
#endif
