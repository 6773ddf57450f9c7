/*
 * The calls that can fail. Each asks whether it is its turn to fail, and otherwise calls the next library. There are
 * also definitions for the names by which large-file support and _FORTIFY_SOURCE replace the plain ones.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include "tests/faults/faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES 16
#define NO_FD (-1)

static struct faults own;
static struct faults *current = &own;
static __thread bool inside; /* calls of this library itself are not counted */

struct faults *
faults(void)
{
	return current;
}

void
faults_use(struct faults *shared)
{
	current = shared;
}

/* Runs before main(), because backtrace() loads a library at its first use. */
static void __attribute__((constructor)) attach(void)
{
	const char *path = getenv("FAULTS");
	void *frame[1];

	inside = true;
	(void)backtrace(frame, 1);
	if (path != NULL) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
		void *map = (void *)syscall(SYS_mmap, NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (map == MAP_FAILED) {
			fprintf(stderr, "cannot map FAULTS=%s\n", path);
			abort();
		}
		current = map;
		(void)syscall(SYS_close, fd);
	}
	inside = false;
}

/* "pwrite: No space left on device: /the/file hooksd+0x1234 hooksd+0x5678 ...": the offsets are for addr2line. */
static void __attribute__((noinline)) describe(const char *name, int error, const char *path, int fd)
{
	char link[64], target[200] = "";
	void *frames[FRAMES];
	int depth = backtrace(frames, FRAMES);
	size_t used, room = sizeof current->what;

	if (path == NULL && fd != NO_FD) {
		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		(void)syscall(SYS_readlink, link, target, sizeof target - 1);
	}
	used = (size_t)snprintf(current->what, room, "%s: %s: %s", name, error != 0 ? strerrordesc_np(error) : "short",
	    path != NULL ? path : target);
	for (int i = 3; i < depth && used < room; i++) {
		Dl_info module;

		if (dladdr(frames[i], &module) == 0 || module.dli_fname == NULL)
			continue;
		const char *slash = strrchr(module.dli_fname, '/');
		/* The address of the call, not of what comes after it. */
		used += (size_t)snprintf(current->what + used, room - used, " %s+0x%lx",
		    slash != NULL ? slash + 1 : module.dli_fname,
		    (unsigned long)((char *)frames[i] - (char *)module.dli_fbase) - 1);
	}
}

/* Whether this call is one of those that fail. If so, sets errno. */
static bool __attribute__((noinline))
fails(enum fault_group group, int error, const char *name, const char *path, int fd)
{
	struct faults *f = current;
	char process[16] = "";

	if ((f->groups & group) == 0 || inside)
		return false;
	(void)syscall(SYS_prctl, PR_GET_NAME, process, 0, 0, 0);
	if (strncmp(process, f->process, strnlen(f->process, sizeof f->process)) != 0)
		return false;

	uint64_t number = __atomic_add_fetch(&f->calls, 1, __ATOMIC_RELAXED);

	if (number < f->first || number > f->last)
		return false;
	if (group == FAULT_SHORT)
		error = 0;
	else if (f->error != 0)
		error = f->error;
	inside = true;
	if (number == f->first)
		describe(name, error, path, fd);
	inside = false;
	__atomic_add_fetch(&f->failed, 1, __ATOMIC_RELAXED);
	errno = error;
	return true;
}

static void *
next(const char *name)
{
	int saved = errno;

	inside = true;
	void *function = dlsym(RTLD_NEXT, name);
	inside = false;
	if (function == NULL)
		abort();
	errno = saved;
	return function;
}

/*
 * Defines a function with that prototype, which fails with that errno and result. The prototype is written out twice,
 * because the fortified functions are declared nowhere. A call is on a path or on a descriptor.
 */
#define CALL(group, error, path, fd, type, failure, name, parameters, arguments)                                       \
	type name parameters;                                                                                          \
	type name parameters                                                                                           \
	{                                                                                                              \
		static type(*real) parameters;                                                                         \
                                                                                                                       \
		if (fails(group, error, #name, path, fd))                                                              \
			return failure;                                                                                \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real arguments;                                                                                 \
	}

#define ON_PATH(error, type, failure, name, parameters, arguments)                                                     \
	CALL(FAULT_FILES, error, path, NO_FD, type, failure, name, parameters, arguments)
#define ON_FD(error, name, parameters, arguments)                                                                      \
	CALL(FAULT_FILES, error, NULL, fd, int, -1, name, parameters, arguments)
#define ELSEWHERE(group, error, name, parameters, arguments)                                                           \
	CALL(group, error, NULL, NO_FD, int, -1, name, parameters, arguments)

/* ---- files ---- */

#define OPEN(name)                                                                                                     \
	int name(const char *path, int flags, ...)                                                                     \
	{                                                                                                              \
		static int (*real)(const char *, int, ...);                                                            \
		va_list rest;                                                                                          \
                                                                                                                       \
		va_start(rest, flags);                                                                                 \
		mode_t mode = va_arg(rest, mode_t);                                                                    \
		va_end(rest);                                                                                          \
		if (fails(FAULT_FILES, EMFILE, #name, path, NO_FD))                                                    \
			return -1;                                                                                     \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real(path, flags, mode);                                                                        \
	}

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
	int name(int directory, const char *path, int flags, ...)                                                      \
	{                                                                                                              \
		static int (*real)(int, const char *, int, ...);                                                       \
		va_list rest;                                                                                          \
                                                                                                                       \
		va_start(rest, flags);                                                                                 \
		mode_t mode = va_arg(rest, mode_t);                                                                    \
		va_end(rest);                                                                                          \
		if (fails(FAULT_FILES, EMFILE, #name, path, NO_FD))                                                    \
			return -1;                                                                                     \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real(directory, path, flags, mode);                                                             \
	}

OPENAT(openat)
OPENAT(openat64)

/* Only the locks, for which the kernel may have no memory. The other commands of fcntl() do not fail in practice. */
#define FCNTL(name)                                                                                                    \
	int name(int fd, int command, ...)                                                                             \
	{                                                                                                              \
		static int (*real)(int, int, ...);                                                                     \
		va_list rest;                                                                                          \
                                                                                                                       \
		va_start(rest, command);                                                                               \
		void *argument = va_arg(rest, void *);                                                                 \
		va_end(rest);                                                                                          \
		if ((command == F_SETLKW || command == F_SETLK) && fails(FAULT_MEMORY, ENOLCK, #name, NULL, fd))       \
			return -1;                                                                                     \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real(fd, command, argument);                                                                    \
	}

FCNTL(fcntl)
FCNTL(fcntl64)

ON_PATH(EIO, DIR *, NULL, opendir, (const char *path), (path))
ON_PATH(EACCES, int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(EIO, int, -1, rename, (const char *path, const char *to), (path, to))
ON_PATH(EIO, int, -1, unlink, (const char *path), (path))
ON_PATH(EIO, int, -1, stat, (const char *restrict path, struct stat *restrict st), (path, st))
ON_PATH(EIO, int, -1, stat64, (const char *restrict path, struct stat64 *restrict st), (path, st))
ON_FD(EIO, fstatvfs, (int fd, struct statvfs *st), (fd, st))
ON_FD(EIO, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st))
ON_PATH(EIO, int, -1, statvfs, (const char *restrict path, struct statvfs *restrict st), (path, st))
ON_PATH(EIO, int, -1, statvfs64, (const char *restrict path, struct statvfs64 *restrict st), (path, st))
ON_FD(EIO, fstat, (int fd, struct stat *st), (fd, st))
ON_FD(EIO, fstat64, (int fd, struct stat64 *st), (fd, st))
ON_FD(EIO, fsync, (int fd), (fd))
ON_FD(EIO, fdatasync, (int fd), (fd))
ON_FD(EIO, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(EIO, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FD(ENOSPC, fallocate, (int fd, int mode, off_t from, off_t bytes), (fd, mode, from, bytes))
ON_FD(ENOSPC, fallocate64, (int fd, int mode, off64_t from, off64_t bytes), (fd, mode, from, bytes))
ON_FD(ENOLCK, flock, (int fd, int operation), (fd, operation))
CALL(FAULT_FILES, EIO, NULL, dirfd(directory), struct dirent *, NULL, readdir, (DIR * directory), (directory))
CALL(FAULT_FILES, EIO, NULL, dirfd(directory), struct dirent64 *, NULL, readdir64, (DIR * directory), (directory))
CALL(FAULT_FILES, ENOSPC, NULL, fd, int, ENOSPC, posix_fallocate, (int fd, off_t from, off_t bytes), (fd, from, bytes))
CALL(FAULT_FILES, ENOSPC, NULL, fd, int, ENOSPC, posix_fallocate64, (int fd, off64_t from, off64_t bytes),
    (fd, from, bytes))

/* Other descriptors, such as eventfds, neither fail nor are short. */
static bool
is_file(int fd)
{
	struct stat st;

	return fd != STDERR_FILENO && syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Reads and writes, which may also be short. */
#define TRANSFER(error, name, parameters, arguments)                                                                   \
	ssize_t name parameters;                                                                                       \
	ssize_t name parameters                                                                                        \
	{                                                                                                              \
		static ssize_t(*real) parameters;                                                                      \
                                                                                                                       \
		if (is_file(fd) && fails(FAULT_FILES, error, #name, NULL, fd))                                         \
			return -1;                                                                                     \
		if (len > 1 && is_file(fd) && fails(FAULT_SHORT, 0, #name, NULL, fd))                                  \
			len /= 2;                                                                                      \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real arguments;                                                                                 \
	}

TRANSFER(EIO, read, (int fd, void *bytes, size_t len), (fd, bytes, len))
TRANSFER(EIO, pread, (int fd, void *bytes, size_t len, off_t at), (fd, bytes, len, at))
TRANSFER(EIO, pread64, (int fd, void *bytes, size_t len, off64_t at), (fd, bytes, len, at))
TRANSFER(EIO, __read_chk, (int fd, void *bytes, size_t len, size_t room), (fd, bytes, len, room))
TRANSFER(EIO, __pread_chk, (int fd, void *bytes, size_t len, off_t at, size_t room), (fd, bytes, len, at, room))
TRANSFER(EIO, __pread64_chk, (int fd, void *bytes, size_t len, off64_t at, size_t room), (fd, bytes, len, at, room))
TRANSFER(ENOSPC, write, (int fd, const void *bytes, size_t len), (fd, bytes, len))
TRANSFER(ENOSPC, pwrite, (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, len, at))
TRANSFER(ENOSPC, pwrite64, (int fd, const void *bytes, size_t len, off64_t at), (fd, bytes, len, at))

/* ---- memory: dlsym() may allocate, so the C library's other names are called ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *
malloc(size_t size)
{
	return fails(FAULT_MEMORY, ENOMEM, "malloc", NULL, NO_FD) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails(FAULT_MEMORY, ENOMEM, "calloc", NULL, NO_FD) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return fails(FAULT_MEMORY, ENOMEM, "realloc", NULL, NO_FD) ? NULL : __libc_realloc(old, size);
}

CALL(FAULT_MEMORY, ENOMEM, NULL, fd, void *, MAP_FAILED, mmap,
    (void *at, size_t len, int protection, int flags, int fd, off_t from), (at, len, protection, flags, fd, from))
CALL(FAULT_MEMORY, ENOMEM, NULL, fd, void *, MAP_FAILED, mmap64,
    (void *at, size_t len, int protection, int flags, int fd, off64_t from), (at, len, protection, flags, fd, from))

/* ---- processes ---- */

ELSEWHERE(FAULT_PROCESS, EAGAIN, fork, (void), ())
ELSEWHERE(FAULT_PROCESS, EMFILE, eventfd, (unsigned int count, int flags), (count, flags))
ELSEWHERE(FAULT_PROCESS, EMFILE, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(FAULT_PROCESS, EAGAIN, NULL, NO_FD, int, EAGAIN, pthread_create,
    (pthread_t *restrict thread, const pthread_attr_t *restrict how, void *(*run)(void *), void *restrict argument),
    (thread, how, run, argument))

/* ---- network ---- */

ELSEWHERE(FAULT_NETWORK, EMFILE, socket, (int domain, int type, int protocol), (domain, type, protocol))
ELSEWHERE(FAULT_NETWORK, ENETUNREACH, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
ELSEWHERE(FAULT_NETWORK, EADDRINUSE, bind, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
ELSEWHERE(FAULT_NETWORK, EADDRINUSE, listen, (int fd, int queue), (fd, queue))
ELSEWHERE(FAULT_NETWORK, ENOMEM, poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms))
ELSEWHERE(
    FAULT_NETWORK, ENOMEM, __poll_chk, (struct pollfd * fds, nfds_t count, int ms, size_t room), (fds, count, ms, room))
ELSEWHERE(FAULT_NETWORK, ENOBUFS, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
    (fd, level, name, value, len))
ELSEWHERE(FAULT_NETWORK, ENOBUFS, getsockopt,
    (int fd, int level, int name, void *restrict value, socklen_t *restrict len), (fd, level, name, value, len))
/* A connection that was reset stays reset in both directions. */
static bool
resets(const char *name, int fd)
{
	if (!fails(FAULT_NETWORK, ECONNRESET, name, NULL, fd))
		return false;
	(void)syscall(SYS_shutdown, fd, SHUT_RDWR);
	errno = ECONNRESET;
	return true;
}

#define ON_CONNECTION(name, parameters, arguments)                                                                     \
	ssize_t name parameters;                                                                                       \
	ssize_t name parameters                                                                                        \
	{                                                                                                              \
		static ssize_t(*real) parameters;                                                                      \
                                                                                                                       \
		if (resets(#name, fd))                                                                                 \
			return -1;                                                                                     \
		if (real == NULL)                                                                                      \
			real = next(#name);                                                                            \
		return real arguments;                                                                                 \
	}

ON_CONNECTION(send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags))
ON_CONNECTION(recv, (int fd, void *bytes, size_t len, int flags), (fd, bytes, len, flags))
ON_CONNECTION(__recv_chk, (int fd, void *bytes, size_t len, size_t room, int flags), (fd, bytes, len, room, flags))
