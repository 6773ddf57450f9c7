/*
 * Keys of TLS session tickets. A returning client shows its ticket, and both sides skip the expensive half of the
 * handshake. The master makes a new key each hour, in memory shared with the acceptors, so that each accepts the
 * tickets of all. A key makes tickets for an hour, opens them for another hour, and is wiped. So stolen keys cannot
 * decrypt older resumed sessions of TLS 1.2; TLS 1.3 has a new key exchange per session. The keys are in no file and no
 * core dump.
 */
#ifndef SERVER_TICKETS_H
#define SERVER_TICKETS_H

#include <stdint.h>

#include "base/error.h"

struct ssl_ctx_st;
struct tickets;

/* The lifetime of a ticket, and the interval of key changes. */
#define TICKET_SECONDS 3600

/*
 * Maps the shared memory and makes the first keys, at now_us by the steady clock. Called by the master before it forks.
 * NULL with *err: no memory.
 */
struct tickets *tickets_new(int64_t now_us, struct error *err);

/* Unmaps this process's view. NULL: does nothing. */
void tickets_free(struct tickets *tickets);

/* Makes a new key if the current one is an hour old. Called by the master periodically. */
void tickets_rotate(struct tickets *tickets, int64_t now_us);

/* Makes the context use these keys, which must outlive it, for its tickets. */
void tickets_use(struct tickets *tickets, struct ssl_ctx_st *context);

#endif
