/* GET /v1/stream: what a client asks for, and from where on. Worker threads. */
#ifndef CONTROL_STREAM_OPEN_H
#define CONTROL_STREAM_OPEN_H

#include "control/request.h"

/* The reply is a stream, which control/streams.h goes on with. */
request_handler stream_open;

#endif
