/*
 * The acceptor's state of a request, until its answer has been written. routes.c makes it from the request's pool when
 * libh2o passes the request; connection_exchange() finds it again. libh2o's own answers have none.
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
	int64_t begun_us; /* steady: when a POST of events or a management request was complete */
	/* For a POST of events, see events.c and publish.c. */
	uint32_t events; /* accepted events */
	const char *rejected; /* argument of reply_accepted() */
	bool published; /* events of POST /v1/events; else hook events */
	bool batch; /* the route accepts several events */
	struct frame_caller caller; /* for an authorized request */
	const struct api_key *key; /* its key, with limits; NULL: none was needed or sent */
};

#endif
