/*
 * A request and what an acceptor knows about it until its answer has been written. Made by routes.c when libh2o gives
 * it a request, of the request's own pool; connection.h finds it again. Answers that libh2o gives by itself have none.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "api/frame.h"
#include "server/route.h"

struct api_key;

struct exchange {
	h2o_req_t *req;
	struct route_path path;
	struct route_match match; /* the row of the path, and its parameters */
	int64_t begun_us; /* steady clock: when a POST of events, or a management request, had been read */
	/* Of a POST of events, see events.c and publish.c. */
	uint32_t events; /* that are taken */
	const char *rejected; /* what reply_accepted() takes */
	bool published; /* the events are those of POST /v1/events; else they are hook events */
	bool batch; /* several events are taken */
	struct frame_caller caller; /* of a request whose key has been checked */
	const struct api_key *key; /* the same, with its limits; NULL: no key was needed, and none was sent */
};

#endif
