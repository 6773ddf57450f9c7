/* What a replay would do. Worker threads. */
#ifndef CONTROL_REPLAY_DRY_RUN_H
#define CONTROL_REPLAY_DRY_RUN_H

#include "control/replay_request.h"
#include "control/request.h"

/* Answers with what the replay would make, and makes nothing. It ends before the request's deadline: "complete". */
void replay_dry_run(const struct request *request, const struct replay_request *replay, struct reply *reply);

#endif
