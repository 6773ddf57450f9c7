/* GET /v1/stream: reads what a client asks for and where its stream begins. The loop's thread. */
#ifndef CONTROL_STREAM_OPEN_H
#define CONTROL_STREAM_OPEN_H

#include "control/request.h"

/* Replies with a stream, which control/streams.h continues. */
request_handler stream_open;

#endif
