/* The header Idempotency-Key of requests that make something. Worker threads. */
#ifndef CONTROL_IDEMPOTENT_H
#define CONTROL_IDEMPOTENT_H

#include <stdbool.h>

#include "base/crypto.h"
#include "control/change.h"
#include "control/request.h"
#include "store/webhooks/idempotency.h"

/* The fingerprint of a request: SHA-256 of its body, in lower-case hex. */
struct request_fingerprint {
	char text[2 * SHA256_BYTES + 1];
};

/* Checks the key, if there is one, and sets *fingerprint. false: the key cannot be stored, and the reply is 400. */
bool request_idempotency_key(
    const struct request *request, struct request_fingerprint *fingerprint, struct reply *reply);

/* An object that requests with the same key make only once. */
struct made_once {
	const char *route; /* of keys: "replay" */
	const char *object_id; /* of the object that would be made now */
	const struct request_fingerprint *fingerprint;
	change_body *make; /* makes the object, and answers */
	/* Answers with the object of the first request, or that it is gone. Returns as db_query(). */
	int (*show)(const struct request *request, const char *object_id, struct reply *reply, struct error *err);
};

/*
 * In a transaction of change_run(): makes the object, unless an earlier request with the key did. The key with another
 * body gets 409. Returns as db_query().
 */
int make_once(
    const struct request *request, const struct made_once *once, void *context, struct reply *reply, struct error *err);

#endif
