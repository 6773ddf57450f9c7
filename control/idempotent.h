/* The header Idempotency-Key of requests that make something. Worker threads. */
#ifndef CONTROL_IDEMPOTENT_H
#define CONTROL_IDEMPOTENT_H

#include <stdbool.h>

#include "base/crypto.h"
#include "control/request.h"
#include "store/webhooks/idempotency.h"

/* What a request asks for: SHA-256 of its body, in lower-case hex. */
struct request_fingerprint {
	char text[2 * SHA256_BYTES + 1];
};

/* Whether the key, if there is one, can be stored; if not, the reply is 400. Sets *fingerprint. */
bool request_idempotency_key(
    const struct request *request, struct request_fingerprint *fingerprint, struct reply *reply);

/* 409: the key belongs to a request with another body. */
void answer_idempotency_conflict(struct reply *reply);

#endif
