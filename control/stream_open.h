/* GET /v1/stream, and the parts that GET /events/stream shares (control/hook_stream_open.h). The loop's thread. */
#ifndef CONTROL_STREAM_OPEN_H
#define CONTROL_STREAM_OPEN_H

#include "control/query.h"
#include "control/request.h"

struct stream;
struct streams;

/* Replies with a stream, which control/streams.h continues. */
request_handler stream_open;

/* The text that names the place to resume from; "": none. Returns false when the request has been answered. */
bool stream_last_id(const struct request *request, char text[QUERY_VALUE_BYTES], struct reply *reply);

/* Begins the stream, or frees it and says why not. */
void stream_begin(struct streams *streams, struct stream *stream, struct reply *reply);

#endif
