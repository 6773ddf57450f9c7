/*
 * Names to addresses, by threads that call getaddrinfo(3): what the machine's configuration says of names holds, and no
 * slow name server stops the loop. Answers are kept. When name servers fail, older answers serve for a while.
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

/* KNOWN: addresses. ABSENT: the name does not exist, or has no address. UNKNOWN: the resolver failed, or was silent. */
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
 * What is known of a name, borrowed until the next call for the resolver; or NULL, and it is looked up. waited: the
 * caller has waited for long enough; then the answer is never NULL.
 */
const struct resolver_answer *resolver_ask(struct resolver *resolver, const char *host, bool waited);

/* A descriptor that is readable when there are new answers, and the call that takes them in. */
int resolver_fd(const struct resolver *resolver);
void resolver_run(struct resolver *resolver);

/* A thread that is in a lookup ends after it. */
void resolver_close(struct resolver *resolver);

#endif
