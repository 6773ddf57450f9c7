/*
 * A library to preload that shows a program a file system without locks. NOLOCKS_CALL, "flock" or "fcntl", fails with
 * the errno NOLOCKS_ERROR for every file whose path contains NOLOCKS_PATH.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool
fails(const char *call, int fd)
{
	const char *wanted = getenv("NOLOCKS_CALL"), *where = getenv("NOLOCKS_PATH"), *error = getenv("NOLOCKS_ERROR");
	char link[64], path[PATH_MAX];

	if (wanted == NULL || where == NULL || error == NULL || strcmp(wanted, call) != 0)
		return false;
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof path - 1);
	path[len < 0 ? 0 : len] = '\0';
	if (strstr(path, where) == NULL)
		return false;
	errno = atoi(error);
	return true;
}

int
flock(int fd, int operation)
{
	int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");

	return fails("flock", fd) ? -1 : real(fd, operation);
}

static int
locked(const char *name, int fd, int command, void *argument)
{
	int (*real)(int, int, void *) = (int (*)(int, int, void *))dlsym(RTLD_NEXT, name);

	if ((command == F_SETLK || command == F_SETLKW) && fails("fcntl", fd))
		return -1;
	return real(fd, command, argument);
}

#define FCNTL(name)                                                                                                    \
	int name(int fd, int command, ...)                                                                             \
	{                                                                                                              \
		va_list arguments;                                                                                     \
                                                                                                                       \
		va_start(arguments, command);                                                                          \
		void *argument = va_arg(arguments, void *);                                                            \
		va_end(arguments);                                                                                     \
		return locked(#name, fd, command, argument);                                                           \
	}

int fcntl64(int fd, int command, ...);
FCNTL(fcntl)
FCNTL(fcntl64)
