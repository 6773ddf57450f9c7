/* The standard descriptors. Each test has a process of its own, whose exit code is the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/streams.h"

static char line[4096], read_back[65536];

/* Runs check in a child whose descriptor 2 is fd. */
static void
in_a_child(int (*check)(int), int reader, int fd)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)dup2(fd, STDERR_FILENO);
		_exit(check(reader));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A terminal that is nearly full takes a part of a line. The next writer is another process. */
static int
a_short_write(int terminal)
{
	size_t len = 0;
	ssize_t n;

	streams_own_stderr();
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	while (streams_write_stderr(line, sizeof line))
		;
	if (fork() == 0) {
		while (!streams_write_stderr("next\n", 5))
			;
		_exit(0);
	}
	while (len < 6 || memcmp(read_back + len - 5, "next\n", 5) != 0) {
		n = read(terminal, read_back + len, sizeof read_back - len);
		if (n <= 0)
			return 1;
		len += (size_t)n;
	}
	return read_back[len - 6] == '\n' ? 0 : 2;
}

static void
test_a_line_that_was_cut_short_does_not_join_the_next(void **state)
{
	struct termios raw = {0};
	int master, slave;

	cfmakeraw(&raw);
	assert_int_equal(openpty(&master, &slave, NULL, &raw, NULL), 0);
	in_a_child(a_short_write, master, slave);
	close(master);
	close(slave);
}

static int
a_full_pipe(int reader)
{
	int lines = 0;

	streams_own_stderr();
	memset(line, 'x', sizeof line);
	while (streams_write_stderr(line, sizeof line))
		lines++;
	while (lines > 0 && read(reader, read_back, sizeof line) == (ssize_t)sizeof line)
		lines--;
	return lines;
}

static void
test_an_open_file_that_is_shared_with_others_stays_blocking(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	in_a_child(a_full_pipe, fds[0], fds[1]);
	assert_false(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
}

static int
all_closed(int reader)
{
	struct error err;

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	if (streams_hold(&err) != 0 || open("/", O_RDONLY | O_CLOEXEC) <= STDERR_FILENO)
		return 1;
	return streams_write_stderr("x\n", 2) ? 2 : 0;
}

static void
test_no_file_becomes_a_standard_descriptor(void **state)
{
	in_a_child(all_closed, -1, STDERR_FILENO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_that_was_cut_short_does_not_join_the_next),
	    cmocka_unit_test(test_an_open_file_that_is_shared_with_others_stays_blocking),
	    cmocka_unit_test(test_no_file_becomes_a_standard_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
