/*
 * The secret that signs an endpoint's requests. Receivers check signatures with libraries that read a secret in their
 * own way, so what is taken here is what all of them read as the same bytes. A secret never appears in an error.
 */
#ifndef API_ENDPOINT_SECRET_H
#define API_ENDPOINT_SECRET_H

#include "base/error.h"
#include "base/span.h"

#define ENDPOINT_SECRET_PREFIX "whsec_"
#define ENDPOINT_SECRET_LEAST 8 /* characters of a secret without the prefix */
#define ENDPOINT_SECRET_MOST 256
#define ENDPOINT_SECRET_KEY_LEAST 24 /* bytes behind the prefix: Standard Webhooks, "Signature scheme" */
#define ENDPOINT_SECRET_KEY_MOST 64
#define ENDPOINT_SECRET_GENERATED_BYTES 51 /* of text, with the NUL */

/*
 * Whether text can be a secret: whsec_ and base64 with its '=', of ENDPOINT_SECRET_KEY_LEAST to _MOST bytes; or any
 * other text of ENDPOINT_SECRET_LEAST to _MOST bytes of UTF-8 without control characters and without blanks at its
 * ends. Signatures and keys of other kinds are refused. 0, or <0 with a sentence that begins with what is wrong: "ends
 * with a blank". Pure; any process.
 */
int endpoint_secret_check(struct span text, struct error *err);

/* Writes a new secret: whsec_ and the base64 of 32 random bytes, with a NUL. Ends the process without randomness. */
void endpoint_secret_make(char out[ENDPOINT_SECRET_GENERATED_BYTES]);

#endif
