/* Shows what a replay would do. Worker threads. */
#ifndef CONTROL_REPLAY_DRY_RUN_H
#define CONTROL_REPLAY_DRY_RUN_H

#include "control/replay_request.h"
#include "control/request.h"

/*
 * Answers with the jobs that the replay would make, and makes none. Ends before the request's deadline; "complete"
 * tells whether it came to the end.
 */
void replay_dry_run(const struct request *request, const struct replay_request *replay, struct reply *reply);

#endif
