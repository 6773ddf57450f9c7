/*
 * Replays published events from the spool. A sink stores a batch in parts, with live events between, so this keeps each
 * event's outcome until the whole batch is done. Publisher.
 *
 * A sink may leave events while another session keeps the order of an endpoint locked. Later events in the spool must
 * not wait for these: once only such events are left of a batch, they are appended to the spool's end ("put back").
 * Until they are read again, further events of their tenants are put back untried, so that a tenant's events stay in
 * order. The order may change if the database goes away meanwhile, or after a restart.
 */
#ifndef WRITER_REPLAY_H
#define WRITER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "store/sink.h"
#include "writer/spool_link.h"

struct replay_tenant;

/* A place in the spool. */
struct replay_place {
	struct spool_id part;
	uint64_t offset;
};

/* All zero at first. */
struct replay {
	struct spool_id part; /* with from: place of the records of the outcomes */
	uint64_t from;
	struct publish_outcome *outcomes; /* `capacity` of each, `count` in use */
	struct publish_outcome **places;
	uint32_t count, capacity;
	uint32_t left; /* records without an outcome */
	struct sink_result sum; /* sum of all calls for these records */
	uint32_t put_back; /* records put back by the last replay_add() */
	const struct record **rest; /* buffer for these */
	struct replay_place pass; /* end of the pass: before it, every waiting event was put back once */
	uint64_t pass_events; /* events in the spool when the pass began; 0: no pass */
	int64_t only_waiting_since_us; /* steady: since when the spool has only waiting events; 0: it has others */
	struct replay_tenant *tenants; /* tenants with events put back; tenant_count of them */
	uint32_t tenant_count;
};

/*
 * Makes *batch from the result of spool_next(), at least one event, with the outcomes of earlier calls. Cuts
 * spool->reader to the end of the batch.
 */
void replay_begin(struct replay *replay, struct spool *spool, struct batch *batch);

/*
 * Adds a sink's result for that batch. True: the batch is done, because the sink finished it, or did nothing and the
 * rest was put back by spool_link_append(). Then replay->sum counts all events except replay->put_back ones; if there
 * are any, spool_append_committed() is due after the commit. False: the batch comes again, perhaps later.
 */
bool replay_add(
    struct replay *replay, struct spool_link *link, const struct batch *batch, const struct sink_result *result);

/*
 * Whether waiting events are being put back. Events appended to the spool now would get between others of their tenant.
 */
bool replay_moves(const struct replay *replay, const struct spool *spool);

/* Adds appended events that also wait, so that they do not cause another pass. */
void replay_add_waiting(struct replay *replay, uint32_t events);

void replay_free(struct replay *replay);

#endif
