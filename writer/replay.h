/*
 * Published events that are replayed from the spool: a sink stores them in parts, between which live events have their
 * turn, so what became of each is kept until all are done. A publisher.
 *
 * A sink may leave events for as long as another session keeps the order of an endpoint locked. What stands behind them
 * in the spool does not wait for that: once only such events are left of what was read, they are appended to the
 * spool's end. Until they are read again there, no event of their tenants is tried, but put behind them, so that the
 * events of a tenant stay in order. Their order may change when the database goes away meanwhile, or after a restart.
 */
#ifndef WRITER_REPLAY_H
#define WRITER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "store/sink.h"
#include "writer/spool_link.h"

struct replay_tenant;

/* Of the spool: in that part, at that offset. */
struct replay_place {
	struct spool_id part;
	uint64_t offset;
};

/* All zero at first. */
struct replay {
	struct spool_id part; /* the records that the outcomes are of */
	uint64_t from;
	struct publish_outcome *outcomes; /* capacity of each, count in use */
	struct publish_outcome **places;
	uint32_t count, capacity;
	uint32_t left; /* of them: the sink has not come to these */
	struct sink_result sum; /* of all calls for these records */
	uint32_t put_back; /* of these records, by the last replay_put_back() */
	const struct record **rest; /* room for these */
	struct replay_place pass; /* once what stands there is read, all that waits has been put back since it began */
	uint64_t pass_events; /* in the spool when the pass began; 0: none has */
	int64_t stands_since_us; /* steady: all that waits has been put back; 0: it does not stand */
	struct replay_tenant *tenants; /* whose events were put back, tenant_count of them */
	uint32_t tenant_count;
};

/*
 * Makes *batch of what spool_next() has given, at least one event, with the outcomes of the calls before, or none yet.
 * What stands behind the batch is for later: spool->reader ends with it.
 */
void replay_begin(struct replay *replay, struct spool *spool, struct batch *batch);

/*
 * Adds what a sink has done with that batch. When that was the rest of it, or the sink has done nothing and
 * spool_link_append() has put the rest back: true, and replay->sum counts all but replay->put_back events of it. After
 * these are committed spool_append_committed() is due, if there are any. False: the batch comes again, perhaps later.
 */
bool replay_add(
    struct replay *replay, struct spool_link *link, const struct batch *batch, const struct sink_result *result);

/* Whether what waits is being put back: events that are appended meanwhile come between others of their tenant. */
bool replay_moves(const struct replay *replay, const struct spool *spool);

/* So many events were appended that wait also: these are no reason to put the others back once more. */
void replay_add_waiting(struct replay *replay, uint32_t events);

void replay_free(struct replay *replay);

#endif
