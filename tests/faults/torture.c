/* Runs scenarios with faults; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/torture.h"

/* Longer than any run takes on a busy machine. A run that takes longer hangs. */
#define HANGS_AFTER_SECONDS 20

/* The ways in which calls fail. A process that is out of memory may end (base/mem.h). */
static const struct mode {
	const char *name;
	uint32_t groups;
	int32_t error;
	bool from_then_on;
	bool may_abort;
} modes[] = {
    {"a call fails", FAULT_FILES | FAULT_PROCESS, 0, false, false},
    {"calls fail from one on", FAULT_FILES | FAULT_PROCESS, 0, true, false},
    {"a call fails for want of space", FAULT_FILES, ENOSPC, false, false},
    {"calls fail from one on for want of space", FAULT_FILES, ENOSPC, true, false},
    {"a read or write is short", FAULT_SHORT, 0, false, false},
    {"there is no memory once", FAULT_MEMORY, 0, false, true},
    {"there is no memory from a call on", FAULT_MEMORY, 0, true, true},
};

struct shared {
	struct faults faults;
	struct torture_log log;
	char complaint[1024];
};

static struct shared *shared;

char torture_directory[] = "/dev/shm/hooks-torture-XXXXXX"; /* thousands of syncs would take minutes on a disk */

int
torture_make_directory(void **state)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	faults_use(&shared->faults);
	return mkdtemp(torture_directory) != NULL ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	return walk->level > 0 ? remove(path) : 0;
}

static int
empty_directory(void)
{
	return nftw(torture_directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
torture_remove_directory(void **state)
{
	return empty_directory() != 0 || rmdir(torture_directory) != 0 ? -1 : 0;
}

void
torture_fail(const char *file, int line, const char *condition, const char *format, ...)
{
	char why[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	(void)snprintf(shared->complaint, sizeof shared->complaint, "%s:%d: %s: %s", file, line, condition, why);
	_exit(1);
}

/* Runs the function in a child with those faults. Returns its wait status. */
static int
in_child(void (*function)(struct torture_log *), const struct faults *faults)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(HANGS_AFTER_SECONDS);
		if (getenv("TORTURE_LOG") == NULL && freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		shared->faults = *faults;
		function(&shared->log);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	shared->faults.groups = 0; /* this process has no faults */
	return status;
}

static void
complain(const struct mode *mode, uint64_t number, const char *when, int status)
{
	const char *death = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "";

	fail_msg("%s, number %llu (%s): %s: %s%s", mode->name, (unsigned long long)number, shared->faults.what, when,
	    shared->complaint, death);
}

/* Returns false when the run made fewer calls than that. */
static bool
one_run(const struct torture *torture, const struct mode *mode, uint64_t number)
{
	static const struct faults none;
	struct faults faults = {.first = number,
	    .last = mode->from_then_on ? UINT64_MAX : number,
	    .groups = mode->groups,
	    .error = mode->error};

	memset(shared, 0, sizeof *shared);
	assert_int_equal(empty_directory(), 0);
	if (in_child(torture->prepare, &none) != 0)
		fail_msg("the preparation: %s", shared->complaint);

	int status = in_child(torture->run, &faults);
	bool reached = shared->faults.failed > 0;

	if (status != 0 && !(mode->may_abort && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT))
		complain(mode, number, "the run", status);
	faults = shared->faults;
	status = in_child(torture->check, &faults);
	if (status != 0)
		complain(mode, number, "what it left", status);
	return reached;
}

void
torture(const struct torture *torture)
{
	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
		uint64_t number = 1;

		while (one_run(torture, &modes[m], number))
			number++;
		print_message("%s: %llu calls\n", modes[m].name, (unsigned long long)number - 1);
	}
}
