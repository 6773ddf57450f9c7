/* The header Idempotency-Key of requests that make something. Worker threads. */
#ifndef CONTROL_IDEMPOTENT_H
#define CONTROL_IDEMPOTENT_H

#include <stdbool.h>

#include "base/crypto.h"
#include "control/change.h"
#include "control/request.h"
#include "store/webhooks/idempotency.h"

/* What a request asks for: SHA-256 of its body, in lower-case hex. */
struct request_fingerprint {
	char text[2 * SHA256_BYTES + 1];
};

/* Whether the key, if there is one, can be stored; if not, the reply is 400. Sets *fingerprint. */
bool request_idempotency_key(
    const struct request *request, struct request_fingerprint *fingerprint, struct reply *reply);

/* Something that requests with the same key make once. */
struct made_once {
	const char *route; /* of keys: "replay" */
	const char *object_id; /* of what is made now */
	const struct request_fingerprint *fingerprint;
	change_body *make; /* makes it, and answers */
	/* Answers with what the first request has made, or that it is gone. Returns as db_query(). */
	int (*show)(const struct request *request, const char *object_id, struct reply *reply, struct error *err);
};

/*
 * In a transaction of change_run(): makes it, unless a request with the key has. A request with another body gets 409.
 * Returns as db_query().
 */
int make_once(
    const struct request *request, const struct made_once *once, void *context, struct reply *reply, struct error *err);

#endif
