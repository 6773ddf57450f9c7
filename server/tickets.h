/*
 * Keys of session tickets. A client that comes again shows its ticket, and both sides spare the expensive half of the
 * handshake. The master makes a new key each hour, in memory that it shares with the acceptors, so that each of them
 * takes the tickets of all. A key makes tickets for an hour, opens them for another one, and is wiped: whoever gets
 * hold of the keys can read no session of TLS 1.2 that was resumed earlier. Sessions of TLS 1.3 are safe from it
 * anyway, since each has a key exchange of its own. The keys are in no file and in no core dump.
 */
#ifndef SERVER_TICKETS_H
#define SERVER_TICKETS_H

#include <stdint.h>

#include "base/error.h"

struct ssl_ctx_st;
struct tickets;

/* For how long a ticket is good, and how often the key changes. */
#define TICKET_SECONDS 3600

/*
 * Maps the memory, with keys in it, of which the present one is of now_us by the steady clock. The master, before it
 * forks. NULL: there is no memory, and err says so.
 */
struct tickets *tickets_new(int64_t now_us, struct error *err);

/* Unmaps this process's view. NULL: does nothing. */
void tickets_free(struct tickets *tickets);

/* Makes a new key when the present one is an hour old. The master, again and again. */
void tickets_rotate(struct tickets *tickets, int64_t now_us);

/* Lets that context make and open its tickets by these keys, which must outlive it. */
void tickets_use(struct tickets *tickets, struct ssl_ctx_st *context);

#endif
