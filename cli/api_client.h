/* One request to the API of a running hooksd, by libcurl. */
#ifndef CLI_API_CLIENT_H
#define CLI_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct api_server {
	const char *url; /* "http://127.0.0.1:8080", perhaps with a path, without a slash at the end */
	const char *key; /* sent as Authorization: Bearer; NULL: none */
};

struct api_request {
	const char *method;
	const char *path; /* "/v1/endpoints?limit=5" */
	const char *body; /* JSON; NULL: none */
	const char *if_match, *idempotency_key; /* NULL: none */
	bool slow; /* the reply may take more than 5 minutes */
};

struct api_reply {
	long status;
	char *body; /* NUL-terminated; the caller frees it */
	size_t len;
};

/*
 * Sends the request and waits for the whole reply, at most 30 seconds (slow: 330) and 64 MiB. 0, whatever the status
 * is, or <0: there was no HTTP reply.
 */
int api_send(
    const struct api_server *server, const struct api_request *request, struct api_reply *reply, struct error *err);

struct api_following {
	const char *path;
	const char *last_event_id; /* NULL: none */
	/* Called with new bytes of a reply of 200. Returns whether to go on. */
	bool (*take)(void *context, const char *bytes, size_t len);
	void *context;
	struct api_reply refusal; /* a reply of another status; the caller frees its body */
};

/*
 * Follows a stream until it ends, or nothing arrives for a minute. 0, with the status in refusal: the service ended the
 * stream or refused it. <0: the connection was lost or not made.
 */
int api_follow(const struct api_server *server, struct api_following *following, struct error *err);

/* A copy of text with all characters percent-encoded that RFC 3986 does not call unreserved. */
char *api_encode(const char *text);

#endif
