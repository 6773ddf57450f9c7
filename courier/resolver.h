/*
 * Resolves names to addresses by threads that call getaddrinfo(3), so the machine's configuration applies and a slow
 * name server does not stop the loop. Answers are cached. When name servers fail, older answers serve for a while.
 *
 * The loop's thread alone calls these functions.
 */
#ifndef COURIER_RESOLVER_H
#define COURIER_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "base/error.h"

#define RESOLVER_ADDRESSES_MAX 16
#define RESOLVER_WAIT_US 5000000 /* how long callers wait for an answer */

union resolver_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* KNOWN: has addresses. ABSENT: the name does not exist or has no address. UNKNOWN: the lookup failed or timed out. */
enum resolver_result { RESOLVER_KNOWN, RESOLVER_ABSENT, RESOLVER_UNKNOWN };

struct resolver_answer {
	enum resolver_result result;
	uint32_t count;
	union resolver_address addresses[RESOLVER_ADDRESSES_MAX]; /* in the order of RFC 6724, without ports */
};

struct resolver;

/* Starts the threads. 0 or <0. */
int resolver_open(struct resolver **resolver, struct error *err);

/*
 * What is known about a name, borrowed until the next call for the resolver; NULL: a lookup is under way. waited: the
 * caller has waited long enough, so the answer is never NULL.
 */
const struct resolver_answer *resolver_ask(struct resolver *resolver, const char *host, bool waited);

/* A descriptor that is readable when there are new answers; the call that takes them. */
int resolver_fd(const struct resolver *resolver);
void resolver_run(struct resolver *resolver);

/* A thread within a lookup ends after it. */
void resolver_close(struct resolver *resolver);

#endif
