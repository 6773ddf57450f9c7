/*
 * Three ways to avoid waiting. A pipe or terminal is reopened through /proc, because O_NONBLOCK belongs to the
 * description, which other programs may share; writes by libraries then do not block either. If the reopening is
 * refused (another user's pipe), poll(2) is asked before each write: it promises a page of room, which only several
 * simultaneous writers could use up. A socket cannot be reopened but accepts MSG_DONTWAIT. Regular files never block.
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

/* Whether the last line was cut short. Shared by all processes that write to this stderr. */
static atomic_bool own_torn;
static atomic_bool *torn = &own_torn;

int
streams_hold(struct error *err)
{
	/* open(2) returns the lowest free descriptor; all below fd are in use. */
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
