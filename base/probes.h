/*
 * Static probes (USDT) at the steps of an event's way: a tracer finds them in hooksd by name, provider "hooksd". One
 * costs an instruction that does nothing while no tracer is attached, so its arguments are values that are at hand.
 * docs/tools.md has a table of them, and tools/ has scripts for bpftrace. Without <sys/sdt.h> there are none.
 */
#ifndef BASE_PROBES_H
#define BASE_PROBES_H

#if __has_include(<sys/sdt.h>)
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define PROBE(name, ...) STAP_PROBEV(hooksd, name, __VA_ARGS__)
#else
#define PROBE(name, ...) ((void)0)
#endif

/* An acceptor has read a whole POST of events. request: libh2o's, an address that is the same up to its answer. */
#define PROBE_ACCEPT(request, published) PROBE(accept, request, published)

/*
 * The request's events are in a lane. lane: the address of the lane's controls, the same in all processes; position: of
 * the parcel + 1.
 */
#define PROBE_PUBLISH(request, lane, position, events, bytes) PROBE(publish, request, lane, position, events, bytes)

/* The answer of any request has been given to libh2o. */
#define PROBE_ANSWER(request, status) PROBE(answer, request, status)

/* A writer or publisher has gathered a batch from its lanes. */
#define PROBE_GATHER(events, bytes) PROBE(gather, events, bytes)

/* It gives a batch, from lanes or from the spool, to the store; the store has taken it if rc is 0. */
#define PROBE_STORE_BEGIN(events) PROBE(store_begin, events)
#define PROBE_STORE_END(events, rc) PROBE(store_end, events, rc)

/* It has given a batch to the spool, which has taken it if rc is 0. */
#define PROBE_SPOOL(events, rc) PROBE(spool, events, rc)

/* It releases a lane's parcels below position, as their batch is settled (enum settlement of shm/ledger.h). */
#define PROBE_SETTLE(lane, position, settled_as) PROBE(settle, lane, position, settled_as)

/* A courier begins an attempt, and ends it. attempt: an address; number: from 1; status: 0: no reply. */
#define PROBE_ATTEMPT_BEGIN(attempt, number) PROBE(attempt_begin, attempt, number)
#define PROBE_ATTEMPT_END(attempt, status, duration_ms) PROBE(attempt_end, attempt, status, duration_ms)

#endif
