/*
 * A library to preload that gives a program the test's own names and addresses. The file NAMES has lines:
 *
 *   name NAME ANSWER|ANSWER...   the first lookup gets the first answer, and so on; the last one stays
 *   connect ADDRESS PORT         connections to that address go to this port of loopback
 *
 * An answer is a list of addresses with commas between them, or `absent`, `fails`, or `silent` (fails after a second).
 * Names that are not in the file are absent. Numeric hosts are resolved as usual. No connection leaves the machine: one
 * to an address that is not in the file and is not loopback is refused with ENETUNREACH. getpeername(2) reports the
 * address that the program connected to. Lookups and connections are written to the file NAMES_LOG, one a line.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LINE_BYTES 4096
#define NAMES_MAX 256
#define FDS_MAX 4096

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char name[256];
	unsigned count;
} asked[NAMES_MAX];
static union address connected[FDS_MAX]; /* by descriptor; all zero: the kernel's answer is right */

static void
note(const char *what, const char *text)
{
	FILE *log = fopen(getenv("NAMES_LOG"), "ae");

	if (log == NULL)
		abort();
	(void)fprintf(log, "%s %s\n", what, text);
	(void)fclose(log);
}

/* Puts the rest of the line that begins with "kind key " into line. Returns false if there is none. */
static bool
find(const char *kind, const char *key, char line[LINE_BYTES])
{
	FILE *names = fopen(getenv("NAMES"), "re");
	char start[512];
	size_t len = (size_t)snprintf(start, sizeof start, "%s %s ", kind, key);
	bool found = false;

	if (names == NULL)
		abort();
	while (!found && fgets(line, LINE_BYTES, names) != NULL)
		found = strncasecmp(line, start, len) == 0;
	(void)fclose(names);
	if (found) {
		line[strcspn(line, "\n")] = '\0';
		memmove(line, line + len, strlen(line + len) + 1);
	}
	return found;
}

/* How often the program has looked the name up before. */
static unsigned
times_asked(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (asked[i].name[0] == '\0')
			(void)snprintf(asked[i].name, sizeof asked[i].name, "%s", name);
		if (strcasecmp(asked[i].name, name) == 0)
			return asked[i].count++;
	}
	abort();
}

static int
known_addresses(char *list, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = (int (*)(
	    const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo numeric = {.ai_socktype = SOCK_STREAM}, **end = found;
	char *rest = list;

	if (hints != NULL)
		numeric = *hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	*found = NULL;
	for (char *at; (at = strsep(&rest, ",")) != NULL;) {
		if (real(at, service, &numeric, end) != 0)
			abort();
		while (*end != NULL)
			end = &(*end)->ai_next;
	}
	return 0;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	char line[LINE_BYTES], *rest = line, *answer = NULL;
	union address address;
	unsigned times;

	if (inet_pton(AF_INET, name, &address.ipv4.sin_addr) == 1 ||
	    inet_pton(AF_INET6, name, &address.ipv6.sin6_addr) == 1 || inet_aton(name, &address.ipv4.sin_addr) == 1) {
		(void)snprintf(line, sizeof line, "%s", name);
		return known_addresses(line, service, hints, found);
	}
	pthread_mutex_lock(&lock);
	note("lookup", name);
	times = times_asked(name);
	pthread_mutex_unlock(&lock);
	if (!find("name", name, line))
		return EAI_NONAME;
	for (unsigned i = 0; i <= times && rest != NULL; i++)
		answer = strsep(&rest, "|");
	if (strcmp(answer, "silent") == 0)
		(void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	if (strcmp(answer, "silent") == 0 || strcmp(answer, "fails") == 0)
		return EAI_AGAIN;
	return strcmp(answer, "absent") == 0 ? EAI_NONAME : known_addresses(answer, service, hints, found);
}

int
connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int (*real)(int, const struct sockaddr *, socklen_t) =
	    (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	const union address *given = (const union address *)to;
	char text[INET6_ADDRSTRLEN] = "", line[LINE_BYTES];
	union address other = {0};

	if (to->sa_family != AF_INET && to->sa_family != AF_INET6)
		return real(fd, to, len);
	(void)inet_ntop(to->sa_family,
	    to->sa_family == AF_INET ? (const void *)&given->ipv4.sin_addr : &given->ipv6.sin6_addr, text, sizeof text);
	pthread_mutex_lock(&lock);
	note("connect", text);
	pthread_mutex_unlock(&lock);
	memcpy(&other, to, len);
	if (fd >= FDS_MAX)
		abort();
	memset(&connected[fd], 0, sizeof connected[fd]);
	if (find("connect", text, line)) {
		memcpy(&connected[fd], to, len);
		if (to->sa_family == AF_INET) {
			other.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			other.ipv4.sin_port = htons((uint16_t)atoi(line));
		} else {
			other.ipv6.sin6_addr = in6addr_loopback;
			other.ipv6.sin6_port = htons((uint16_t)atoi(line));
		}
	} else if (strcmp(text, "127.0.0.1") != 0 && strcmp(text, "::1") != 0) {
		errno = ENETUNREACH;
		return -1;
	}
	return real(fd, &other.any, len);
}

int
getpeername(int fd, struct sockaddr *peer, socklen_t *len)
{
	int (*real)(int, struct sockaddr *, socklen_t *) =
	    (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "getpeername");
	int rc = real(fd, peer, len);

	if (rc == 0 && fd < FDS_MAX && connected[fd].any.sa_family != AF_UNSPEC)
		memcpy(peer, &connected[fd], *len);
	return rc;
}
