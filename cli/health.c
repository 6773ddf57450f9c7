/*
 * hooksctl health: one GET to a running hooksd, for health checks of containers, where there is neither curl nor a
 * shell. Plain HTTP/1.0, so that the answer ends where the connection does, and one deadline for all of it: a health
 * check that hangs says as little as one that is not made. The other side may be anything that listens on that port.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/error.h"
#include "cli/commands.h"

const char command_health_usage[] =
    "usage: hooksctl health [PATH | http://HOST[:PORT][/PATH]] [--option=value ...]\n\n"
    "Asks a running hooksd over HTTP and prints what it says. Without a URL: the one on HOST and PORT,\n"
    "by the loopback address where HOST means all addresses. Without a path:\n\n"
    "  /health  it answers; also while its store is unavailable and events are spooled or refused\n\n"
    "Others that make sense:\n\n"
    "  /livez   it answers; says nothing else\n"
    "  /readyz  it takes events and is not stopping\n\n"
    "Gives up after 3 seconds.\n\n"
    "Exit codes: 0 the answer is a 200; 1 it is not, or there is none; 64 wrong usage or configuration.\n";

#define TIMEOUT_US (3 * 1000 * 1000)
#define NAME_MAX_BYTES 256 /* of a host name, which has 253 at most */
#define ANSWER_MAX 8192

struct target {
	char host[NAME_MAX_BYTES];
	char port[6];
	const char *path; /* of the word, or static */
};

/* Printable ASCII without spaces: what else would be in there could be another header. */
static bool
is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text) || (unsigned char)*text >= 0x80)
			return false;
	return true;
}

static int
copy_part(char *out, size_t size, const char *from, size_t len)
{
	if (len == 0 || len >= size)
		return -1;
	memcpy(out, from, len);
	out[len] = '\0';
	return 0;
}

/* HOST[:PORT], HOST perhaps in brackets, up to end. */
static int
parse_authority(struct target *target, const char *text, const char *end)
{
	const char *host = text, *host_end, *port;

	if (*text == '[') {
		host++;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (host_end == NULL)
			return -1;
		port = host_end + 1;
	} else {
		host_end = memchr(host, ':', (size_t)(end - host));
		if (host_end == NULL)
			host_end = end;
		port = host_end;
	}
	if (copy_part(target->host, sizeof target->host, host, (size_t)(host_end - host)) != 0)
		return -1;
	if (port == end)
		return copy_part(target->port, sizeof target->port, "80", 2);
	if (*port != ':' || copy_part(target->port, sizeof target->port, port + 1, (size_t)(end - port - 1)) != 0)
		return -1;
	return target->port[strspn(target->port, "0123456789")] == '\0' ? 0 : -1;
}

static int
parse_word(struct target *target, const char *word, struct error *err)
{
	static const char scheme[] = "http://";
	const char *authority = word + sizeof scheme - 1;

	if (word[0] == '/' && is_plain(word)) {
		target->path = word;
		return 0;
	}
	if (strncmp(word, scheme, sizeof scheme - 1) == 0 && is_plain(word)) {
		const char *end = authority + strcspn(authority, "/");

		target->path = *end == '/' ? end : "/health";
		if (parse_authority(target, authority, end) == 0)
			return 0;
	}
	return error_set(err, "'%.200s' is neither a path nor http://HOST[:PORT][/PATH]", word);
}

/* The address to reach a hooksd on that listens on HOST. */
static const char *
reachable(const char *host)
{
	/* A hooksd with HOST=:: also listens on IPv4, even on a machine without IPv6. */
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ? "127.0.0.1" : host;
}

static int
find_target(struct target *target, const struct config *config, const char *word, struct error *err)
{
	*target = (struct target){.path = "/health"};
	if (word != NULL && parse_word(target, word, err) != 0)
		return -1;
	if (target->host[0] != '\0')
		return 0;
	if (config->port == 0)
		return error_set(err, "PORT is 0: say which port hooksd has got, with --port or a URL");
	(void)snprintf(target->host, sizeof target->host, "%s", reachable(config->host));
	(void)snprintf(target->port, sizeof target->port, "%u", config->port);
	return 0;
}

/* Waits for what poll(2) calls events. 0, or -1 with errno. */
static int
wait_for(int fd, short events, int64_t deadline_us)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	for (;;) {
		int64_t left_ms = (deadline_us - clock_steady_us() + 999) / 1000;
		int ready = left_ms > 0 ? poll(&pollfd, 1, (int)left_ms) : 0;

		if (ready > 0)
			return 0;
		if (ready == 0)
			errno = ETIMEDOUT;
		if (errno != EINTR)
			return -1;
	}
}

/* A connected socket, or -1 with errno. */
static int
connect_to(const struct addrinfo *address, int64_t deadline_us)
{
	int failure = 0;
	socklen_t len = sizeof failure;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return fd;
	failure = errno;
	if (failure == EINPROGRESS) {
		if (wait_for(fd, POLLOUT, deadline_us) != 0 ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
			failure = errno;
		if (failure == 0)
			return fd;
	}
	close(fd);
	errno = failure;
	return -1;
}

static int
open_connection(const struct target *target, int64_t deadline_us, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *addresses = NULL;
	int fd = -1;
	int rc = getaddrinfo(target->host, target->port, &hints, &addresses);

	if (rc != 0)
		return error_set(err, "%s port %s: %s", target->host, target->port, gai_strerror(rc));
	for (const struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next)
		fd = connect_to(a, deadline_us);
	if (fd < 0)
		(void)error_errno(err, "cannot connect to %s port %s", target->host, target->port);
	freeaddrinfo(addresses);
	return fd;
}

static int
send_all(int fd, const char *text, size_t len, int64_t deadline_us)
{
	while (len > 0) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		if (sent > 0) {
			text += sent;
			len -= (size_t)sent;
		} else if ((errno != EINTR && errno != EAGAIN) || wait_for(fd, POLLOUT, deadline_us) != 0) {
			return -1;
		}
	}
	return 0;
}

/* Reads to the end, or as much as there is room for; ends it with a NUL. */
static int
receive(int fd, char answer[ANSWER_MAX], int64_t deadline_us)
{
	size_t len = 0;

	while (len < ANSWER_MAX - 1) {
		if (wait_for(fd, POLLIN, deadline_us) != 0)
			return -1;
		ssize_t got = recv(fd, answer + len, ANSWER_MAX - 1 - len, 0);
		if (got == 0)
			break;
		if (got > 0)
			len += (size_t)got;
		else if (errno != EINTR && errno != EAGAIN)
			return -1;
	}
	answer[len] = '\0';
	return 0;
}

/* One request and its answer. */
static int
ask(const struct target *target, char answer[ANSWER_MAX], struct error *err)
{
	const bool ipv6 = strchr(target->host, ':') != NULL;
	int64_t deadline_us = clock_steady_us() + TIMEOUT_US;
	char *request;
	int fd = open_connection(target, deadline_us, err);
	int rc = 0;

	if (fd < 0)
		return -1;
	request = mem_printf("GET %s HTTP/1.0\r\nHost: %s%s%s:%s\r\nUser-Agent: hooksctl\r\n\r\n", target->path,
	    ipv6 ? "[" : "", target->host, ipv6 ? "]" : "", target->port);
	if (send_all(fd, request, strlen(request), deadline_us) != 0 || receive(fd, answer, deadline_us) != 0)
		rc = error_errno(err, "no answer from %s port %s", target->host, target->port);
	free(request);
	close(fd);
	return rc;
}

/* The status of an answer, or 0: it is not HTTP. *body becomes its body. */
static int
status_of(char *answer, char **body)
{
	static const char version[] = "HTTP/1.";
	char *end = strstr(answer, "\r\n\r\n");
	int status;

	if (end == NULL || strncmp(answer, version, sizeof version - 1) != 0 ||
	    sscanf(answer + sizeof version - 1, "%*1[01] %3d", &status) != 1)
		return 0;
	*body = end + 4;
	return status;
}

/* Prints the body on one line. It goes to a terminal or a log: what controls one is left out. */
static void
print_body(FILE *out, const char *body)
{
	for (; *body != '\0'; body++)
		if (!iscntrl((unsigned char)*body))
			fputc(*body, out);
	fputc('\n', out);
}

int
command_health(const struct config *config, char *const *words)
{
	char answer[ANSWER_MAX];
	struct target target;
	struct error err;
	char *body;

	if (words[0] != NULL && words[1] != NULL) {
		fputs(command_health_usage, stderr);
		return COMMAND_USAGE;
	}
	if (find_target(&target, config, words[0], &err) != 0) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
		return COMMAND_USAGE;
	}
	if (ask(&target, answer, &err) != 0) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
		return COMMAND_FAILED;
	}
	int status = status_of(answer, &body);
	if (status == 0) {
		fprintf(stderr, "hooksctl health: what %s port %s answered is not HTTP\n", target.host, target.port);
		return COMMAND_FAILED;
	}
	if (status == 200) {
		print_body(stdout, body);
		return COMMAND_OK;
	}
	fprintf(stderr, "hooksctl health: %s answered %d: ", target.path, status);
	print_body(stderr, body);
	return COMMAND_FAILED;
}
