/* A repeated request has the same body, byte for byte. */
#include "control/idempotent.h"

#include <stdio.h>
#include <string.h>

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

int
make_once(
    const struct request *request, const struct made_once *once, void *context, struct reply *reply, struct error *err)
{
	const struct idempotency claim = {
	    request->caller.tenant_id, once->route, request->idempotency_key, once->fingerprint->text};
	struct db_rows *first = NULL;
	int rc = 0;

	if (request->idempotency_key.base != NULL)
		rc = idempotency_claim(request->db, &claim, once->object_id, &first, err);
	if (rc != 0)
		return rc;
	if (db_rows_count(first) == 0)
		rc = once->make(request, context, reply, err);
	else if (strcmp(db_rows_text(first, 0, 1).base, once->fingerprint->text) == 0)
		rc = once->show(request, db_rows_text(first, 0, 0).base, reply, err);
	else
		answer_error(reply, 409, "idempotency_conflict",
		    "another request was made with this Idempotency-Key in the last 24 hours");
	db_rows_free(first);
	return rc;
}
