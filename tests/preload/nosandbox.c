/* A library to preload that shows a program a kernel without Landlock, in a container that forbids seccomp. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS 6

long
syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long values[ARGUMENTS];
	va_list arguments;

	if (number == SYS_seccomp || number == SYS_landlock_create_ruleset) {
		errno = number == SYS_seccomp ? EPERM : ENOSYS;
		return -1;
	}
	va_start(arguments, number);
	for (int i = 0; i < ARGUMENTS; i++)
		values[i] = va_arg(arguments, long);
	va_end(arguments);
	return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
