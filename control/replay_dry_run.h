/* What a replay would do, and what keeps it from being made. Worker threads. */
#ifndef CONTROL_REPLAY_DRY_RUN_H
#define CONTROL_REPLAY_DRY_RUN_H

#include <stdint.h>

#include "base/error.h"
#include "control/replay_request.h"
#include "control/request.h"

/*
 * Whether the endpoint and the event that are named are there; if not, the reply is 404 or 410. *matched: how many
 * events the request names, of a range the first million at most. Returns as db_query().
 */
int replay_check(const struct request *request, const struct replay_request *replay, int64_t *matched,
    struct reply *reply, struct error *err);

/* Answers with what the replay would make, and makes nothing. It ends before the request's deadline: "complete". */
void replay_dry_run(const struct request *request, const struct replay_request *replay, struct reply *reply);

#endif
