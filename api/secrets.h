/*
 * How secrets of endpoints stand in the store. Without HL_MASTER_KEY as they are; with it as
 *
 *     enc:v1:<fingerprint of the key, 16 hex digits>:<base64 of what crypto_seal() made>
 *
 * which opens only for the same tenant, endpoint and kind: a row that somebody copies to another endpoint gives
 * nothing. A text that is stored as it is and begins like one of these forms has "plain:" in front of it. Any thread.
 */
#ifndef API_SECRETS_H
#define API_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config.h"
#include "config/master_keys.h"

#define SECRET_FINGERPRINT_BYTES 16

/* Keys of the configuration. Made by secrets_open(), wiped by secrets_close(). */
struct secrets {
	uint8_t keys[1 + MASTER_KEYS_MAX][CRYPTO_KEY_BYTES]; /* the present one first, if there is one */
	char fingerprints[1 + MASTER_KEYS_MAX][SECRET_FINGERPRINT_BYTES + 1];
	size_t count;
	bool encrypts; /* there is an HL_MASTER_KEY */
};

/* SIGNING is for secret and old_secret alike, so that a rotation moves the text from one to the other. */
enum secret_kind { SECRET_SIGNING, SECRET_HEADERS };

/* Whose secret it is. */
struct secret_place {
	struct span tenant_id, endpoint_id; /* the id as 36 characters */
	enum secret_kind kind;
};

void secrets_open(struct secrets *secrets, const struct config *config);
void secrets_close(struct secrets *secrets);

/* Adds the text to store to out, encrypted with HL_MASTER_KEY if there is one. */
void secret_seal(const struct secrets *secrets, const struct secret_place *place, struct span plain, struct bytes *out);

/*
 * Adds the plain secret to out, which the caller wipes. <0: its key is not in the configuration, or the stored text was
 * changed; *err says which, never the secret, and out is as it was.
 */
int secret_read(const struct secrets *secrets, const struct secret_place *place, struct span stored, struct bytes *out,
    struct error *err);

/* Whether the stored text is what secret_seal() would make of its secret today: with the present key, or plain. */
bool secret_is_current(const struct secrets *secrets, struct span stored);

/*
 * Whether the stored text, of which the beginning up to the fingerprint is enough, was encrypted with a key that is not
 * in the configuration. Then fingerprint is set to that key's.
 */
bool secret_lacks_key(
    const struct secrets *secrets, struct span stored, char fingerprint[SECRET_FINGERPRINT_BYTES + 1]);

/* Wipes the buffer's bytes and frees it. */
void secret_wipe(struct bytes *bytes);

#endif
