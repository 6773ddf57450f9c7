/* How many events a replay names, and what keeps it from being made. Worker threads. */
#ifndef CONTROL_REPLAY_MATCHED_H
#define CONTROL_REPLAY_MATCHED_H

#include "base/error.h"
#include "control/replay_request.h"
#include "control/request.h"
#include "store/webhooks/replay_rows.h"

/*
 * Counts the events that the request names: of a range those among the first 100,000, as far as a second suffices. By
 * transactions that only read; in no transaction of the caller. Returns as db_query().
 */
int replay_count(const struct request *request, const struct replay_request *replay, struct replay_matched *matched,
    struct error *err);

/*
 * Whether the endpoint is there, and the event of which *matched tells; if not, the reply is 404 or 410. In a
 * transaction or without. Returns as db_query().
 */
int replay_check(const struct request *request, const struct replay_request *replay,
    const struct replay_matched *matched, struct reply *reply, struct error *err);

#endif
