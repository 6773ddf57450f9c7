/*
 * The secret that signs an endpoint's requests. The libraries of receivers parse secrets differently, so only secrets
 * that all of them read as the same bytes are accepted. A secret never appears in an error.
 */
#ifndef API_ENDPOINT_SECRET_H
#define API_ENDPOINT_SECRET_H

#include "base/error.h"
#include "base/span.h"

#define ENDPOINT_SECRET_PREFIX "whsec_"
#define ENDPOINT_SECRET_LEAST 8 /* characters of a secret without the prefix */
#define ENDPOINT_SECRET_MOST 256
#define ENDPOINT_SECRET_KEY_LEAST 24 /* decoded bytes after the prefix: Standard Webhooks, "Signature scheme" */
#define ENDPOINT_SECRET_KEY_MOST 64
#define ENDPOINT_SECRET_GENERATED_BYTES 51 /* of text, with the NUL */

/*
 * Checks that text can be a secret: whsec_ and padded base64 of ENDPOINT_SECRET_KEY_LEAST to _MOST bytes; or another
 * text of ENDPOINT_SECRET_LEAST to _MOST bytes of UTF-8 without control characters or outer blanks. Prefixes of other
 * kinds of keys and of signatures are refused. Returns 0, or <0 with a predicate: "begins or ends with a blank". Pure;
 * any process.
 */
int endpoint_secret_check(struct span text, struct error *err);

/*
 * Writes a new secret: whsec_ and the base64 of 32 random bytes, with a NUL. Ends the process if there is no
 * randomness.
 */
void endpoint_secret_make(char out[ENDPOINT_SECRET_GENERATED_BYTES]);

#endif
