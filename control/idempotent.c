/* The text of a request that is repeated is the same, byte for byte. */
#include "control/idempotent.h"

#include <stdio.h>

#define KEY_BYTES_MAX 255

bool
request_idempotency_key(const struct request *request, struct request_fingerprint *fingerprint, struct reply *reply)
{
	uint8_t digest[SHA256_BYTES];

	if (request->idempotency_key.base != NULL &&
	    (request->idempotency_key.len == 0 || request->idempotency_key.len > KEY_BYTES_MAX)) {
		answer_error(reply, 400, "validation_error", "Idempotency-Key: must have 1 to %d bytes", KEY_BYTES_MAX);
		return false;
	}
	crypto_sha256(request->body, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(fingerprint->text + 2 * i, 3, "%02x", digest[i]);
	return true;
}

void
answer_idempotency_conflict(struct reply *reply)
{
	answer_error(reply, 409, "idempotency_conflict",
	    "another request was made with this Idempotency-Key in the last 24 hours");
}
