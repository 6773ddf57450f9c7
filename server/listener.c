/* Opening the listening sockets. */
#include "server/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNREAD_TIMEOUT_MS (60 * 1000)

static void
set_port(struct sockaddr *address, uint16_t port)
{
	if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t
bound_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int
listen_one(const struct addrinfo *info)
{
	const int on = 1, off = 0, unread_ms = UNREAD_TIMEOUT_MS;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* "::" serves IPv4 clients too, as people expect of a wildcard. */
	if (info->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	/* Inherited by the connections. libh2o has no time-out for a client that does not read its answers or is gone. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof unread_ms);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
	    bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;

	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/*
 * SO_REUSEPORT would let a second service of the same user share the port in silence and take half the connections:
 * a first bind without it finds out whether the port is free.
 */
static int
port_is_free(const struct addrinfo *info)
{
	const int on = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc, saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	rc = bind(fd, info->ai_addr, info->ai_addrlen);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
listeners_open(const char *host, uint16_t *port, uint32_t count, int *fds, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *info;
	char service[8];
	int rc;

	(void)snprintf(service, sizeof service, "%u", *port);
	rc = getaddrinfo(host, service, &hints, &info);
	if (rc != 0)
		return error_set(err, "HOST=%s: %s", host, gai_strerror(rc));

	rc = port_is_free(info);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		fds[i] = listen_one(info);
		if (fds[i] < 0) {
			rc = -1;
			int saved = errno;

			while (i-- > 0)
				close(fds[i]);
			errno = saved;
			break;
		}
		*port = bound_port(fds[i]);
		set_port(info->ai_addr, *port);
	}
	if (rc != 0)
		error_errno(err, "cannot listen on HOST=%s PORT=%u%s", host, *port,
		    errno == EADDRINUSE ? " (another program has this port: stop it or choose another PORT)" : "");
	freeaddrinfo(info);
	return rc;
}
