/* Counts the events that a replay names, and checks whether it can be made. Worker threads. */
#ifndef CONTROL_REPLAY_MATCHED_H
#define CONTROL_REPLAY_MATCHED_H

#include "base/error.h"
#include "control/replay_request.h"
#include "control/request.h"
#include "store/webhooks/replay_rows.h"

/*
 * Counts the events that the request names; of a range those among the first 100,000, for at most a second. Uses
 * read-only transactions; the caller has no transaction open. Returns as db_query().
 */
int replay_count(const struct request *request, const struct replay_request *replay, struct replay_matched *matched,
    struct error *err);

/*
 * Checks that the endpoint exists, and by *matched the named event; if not, the reply is 404 or 410. In a transaction
 * or without. Returns as db_query().
 */
int replay_check(const struct request *request, const struct replay_request *replay,
    const struct replay_matched *matched, struct reply *reply, struct error *err);

#endif
