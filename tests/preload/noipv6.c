/* A library to preload that shows a program a kernel without IPv6. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int
socket(int domain, int type, int protocol)
{
	int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	if (domain == AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return real(domain, type, protocol);
}
