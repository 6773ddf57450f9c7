/*
 * Three ways not to wait. A pipe or a terminal is opened again through /proc, because O_NONBLOCK belongs to a
 * description, which others may share. Writes of libraries then do not wait either. Where that open is refused
 * (another user's pipe) poll(2) is asked before each write: it promises a page of room, which only several writers in
 * the same instant could use up. A socket cannot be opened again, but takes MSG_DONTWAIT. Regular files always take a
 * write.
 */
#include "base/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static enum { WRITE, ASK_FIRST, SEND } way = WRITE;

/* The last line was cut short. Shared with the processes that write to the same stderr. */
static atomic_bool own_torn;
static atomic_bool *torn = &own_torn;

int
streams_hold(struct error *err)
{
	/* The lowest that is free is taken, and those below are not. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) != fd)
			return error_errno(err, "cannot start: no /dev/null in the place of descriptor %d", fd);
	return 0;
}

static bool
open_again(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool opened = fd >= 0 && dup2(fd, STDERR_FILENO) >= 0;

	if (fd >= 0)
		close(fd);
	return opened;
}

void
streams_own_stderr(void)
{
	struct stat st;
	void *shared;

	signal(SIGTTOU, SIG_IGN); /* a terminal may stop background processes that write to it */
	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	if (S_ISSOCK(st.st_mode))
		way = SEND;
	else if ((S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO)) && !open_again())
		way = ASK_FIRST;
	shared = mmap(NULL, sizeof *torn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared != MAP_FAILED)
		torn = shared;
}

bool
streams_write_stderr(const char *bytes, size_t len)
{
	bool again = atomic_exchange(torn, false);
	char newline[] = "\n";
	struct iovec parts[] = {{newline, again}, {(void *)(uintptr_t)bytes, len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	struct pollfd pollfd = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n = -1;

	if (way == SEND)
		n = sendmsg(STDERR_FILENO, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (way == WRITE || poll(&pollfd, 1, 0) > 0)
		n = writev(STDERR_FILENO, parts, 2);
	if (n == (ssize_t)(again + len))
		return true;
	if (again || n > 0)
		atomic_store(torn, true);
	return false;
}
