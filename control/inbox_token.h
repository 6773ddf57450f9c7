/*
 * Tokens of the development receiver: base64url of the expiry, random bytes, the tenant's id, and a MAC over all that.
 * So every process that has the key can check a token without a row. Pure, except for the randomness.
 */
#ifndef CONTROL_INBOX_TOKEN_H
#define CONTROL_INBOX_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64.h"
#include "base/span.h"

#define INBOX_KEY_BYTES 32
#define INBOX_TENANT_BYTES 65 /* the longest id of a tenant and a NUL */

#define INBOX_TIME_BYTES 8
#define INBOX_RANDOM_BYTES 12
#define INBOX_MAC_BYTES 16
#define INBOX_TOKEN_BYTES                                                                                              \
	BASE64_TEXT_BYTES(INBOX_TIME_BYTES + INBOX_RANDOM_BYTES + INBOX_TENANT_BYTES - 1 + INBOX_MAC_BYTES)

/* Writes a new token of the tenant, with a NUL. Ends the process if the kernel has no randomness. */
void inbox_token_make(
    const uint8_t key[INBOX_KEY_BYTES], const char *tenant_id, int64_t expires_ms, char out[INBOX_TOKEN_BYTES]);

/*
 * Checks that the token was made with the key and has not expired, and reads its tenant. Invalid tokens all take the
 * same time.
 */
bool inbox_token_read(
    const uint8_t key[INBOX_KEY_BYTES], struct span token, int64_t now_ms, char tenant_id[INBOX_TENANT_BYTES]);

#endif
