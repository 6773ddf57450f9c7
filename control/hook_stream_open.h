/* GET /events/stream. The loop's thread. */
#ifndef CONTROL_HOOK_STREAM_OPEN_H
#define CONTROL_HOOK_STREAM_OPEN_H

#include "control/request.h"

request_handler hook_stream_open;

#endif
