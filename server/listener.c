/* Opens the listening sockets, or takes over those of a service manager. */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* The first descriptor that a service manager passes. */
#define PASSED_FIRST 3
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

/* Sets a time-out for unread answers and vanished clients, which libh2o lacks. Connections inherit it. */
static void
limit_unread(int fd)
{
	const int unread_ms = UNREAD_TIMEOUT_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof unread_ms);
}

/* "::" also serves IPv4 clients, as people expect of a wildcard. */
static void
serve_both(int fd, const struct addrinfo *info)
{
	const int off = 0;

	if (info->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
}

static int
listen_one(const struct addrinfo *info)
{
	const int on = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	serve_both(fd, info);
	limit_unread(fd);
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
 * With SO_REUSEPORT a second service of the same user would silently share the port and get half the connections. A
 * first bind without it tests whether the port is free.
 */
static int
port_is_free(const struct addrinfo *info)
{
	const int on = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc, saved;

	if (fd < 0)
		return -1;
	serve_both(fd, info);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	rc = bind(fd, info->ai_addr, info->ai_addrlen);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/*
 * Prefers IPv4, because names such as localhost often have addresses of both kinds. For IPv6 only, HOST must be an
 * address.
 */
static struct addrinfo *
preferred(struct addrinfo *all)
{
	for (struct addrinfo *info = all; info != NULL; info = info->ai_next)
		if (info->ai_family == AF_INET)
			return info;
	return all;
}

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	close(fd);
	return true;
}

/* Returns the address to listen on, one of *all, which the caller frees; or NULL with nothing to free. */
static struct addrinfo *
find_address(const char *host, uint16_t port, struct addrinfo **all, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	char service[8];
	int rc;

	(void)snprintf(service, sizeof service, "%u", port);
	rc = getaddrinfo(host, service, &hints, all);
	if (rc == 0)
		return preferred(*all);
	(void)error_set(err, "HOST=%s: %s", host, gai_strerror(rc));
	return NULL;
}

static int
cannot_listen(const char *host, uint16_t port, struct error *err)
{
	return error_errno(err, "cannot listen on HOST=%s PORT=%u%s", host, port,
	    errno == EADDRINUSE ? " (another program has this port: stop it or choose another PORT)" : "");
}

int
listeners_check(const char *host, uint16_t port, struct error *err)
{
	struct addrinfo *all, *info;
	int rc = 0;

	if (strcmp(host, "::") == 0 && !has_ipv6())
		return 0;
	info = find_address(host, port, &all, err);
	if (info == NULL)
		return -1;
	if (port_is_free(info) != 0 && errno != EADDRINUSE)
		rc = cannot_listen(host, port, err);
	freeaddrinfo(all);
	return rc;
}

int
listeners_open(struct listeners *listeners, const char *host, uint16_t port, uint32_t count, struct error *err)
{
	int *fds = listeners->fds;
	struct addrinfo *all, *info;
	int rc;

	*listeners = (struct listeners){.count = count, .port = port};
	if (strcmp(host, "::") == 0 && !has_ipv6()) {
		log_warning("HOST=:: listens on 0.0.0.0: this kernel has no IPv6");
		host = "0.0.0.0";
	}
	(void)snprintf(listeners->host, sizeof listeners->host, "%s", host);
	info = find_address(host, port, &all, err);
	if (info == NULL)
		return -1;

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
		listeners->port = bound_port(fds[i]);
		set_port(info->ai_addr, listeners->port);
	}
	if (rc != 0)
		(void)cannot_listen(host, listeners->port, err);
	freeaddrinfo(all);
	return rc;
}

/* Whether fd is a stream socket that listens, on IPv4 or IPv6. */
static bool
listens(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t address_len = sizeof address, type_len = sizeof(int), listening_len = sizeof(int);
	int type, listening;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) == 0 && listening != 0 &&
	       getsockname(fd, (struct sockaddr *)&address, &address_len) == 0 &&
	       (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

/* Records the address of a passed socket. */
static void
read_address(struct listeners *listeners, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;

	listeners->port = bound_port(fd);
	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		(void)getnameinfo(
		    (struct sockaddr *)&address, len, listeners->host, sizeof listeners->host, NULL, 0, NI_NUMERICHOST);
}

int
listeners_passed(struct listeners *listeners, struct error *err)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	char own[16];

	*listeners = (struct listeners){.passed = true};
	(void)snprintf(own, sizeof own, "%d", (int)getpid());
	if (count == NULL || pid == NULL || strcmp(pid, own) != 0)
		return 0; /* no sockets, or they were for the program that started this one */

	char *end;
	long n = strtol(count, &end, 10);

	if (*end != '\0' || n < 1 || n > LISTENERS_MAX)
		return error_set(err, "LISTEN_FDS=%s: from 1 to %d sockets can be passed", count, LISTENERS_MAX);
	for (int fd = PASSED_FIRST; fd < PASSED_FIRST + n; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (!listens(fd))
			return error_set(err, "LISTEN_FDS=%s: descriptor %d is no listening TCP socket", count, fd);
		if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			return error_errno(err, "LISTEN_FDS=%s: cannot set up descriptor %d", count, fd);
		limit_unread(fd);
		listeners->fds[listeners->count++] = fd;
	}
	read_address(listeners, listeners->fds[0]);
	return (int)n;
}

bool
listeners_serves(const struct listeners *listeners, uint32_t acceptor, uint32_t number)
{
	return listeners->passed || number == acceptor;
}

void
listeners_close_others(const struct listeners *listeners, uint32_t acceptor)
{
	for (uint32_t l = 0; l < listeners->count; l++)
		if (!listeners_serves(listeners, acceptor, l))
			close(listeners->fds[l]);
}

void
listeners_close(struct listeners *listeners)
{
	for (uint32_t l = 0; l < listeners->count; l++)
		close(listeners->fds[l]);
	listeners->count = 0;
}

void
listeners_refuse(const struct listeners *listeners)
{
	/* Byte 13 of a TCP header has the flags: drop segments with SYN and without ACK (0x02 of 0x12). */
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

	for (uint32_t l = 0; l < listeners->count && !listeners->passed; l++)
		if (setsockopt(listeners->fds[l], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
			log_debug("new clients may be reset: the kernel attaches no filter to a listening socket",
			    LOG_STR("error", strerror(errno)));
}
