/*
 * The stored form of endpoints' secrets. Without HL_MASTER_KEY they are plain; with it they are
 *
 *     enc:v1:<fingerprint of the key, 16 hex digits>:<base64 of crypto_seal()>
 *
 * which opens only for the same tenant, endpoint and kind, so that copying a row to another endpoint reveals nothing. A
 * plain text that begins like one of these forms gets the prefix "plain:". Any thread.
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

/* The configured keys. Filled by secrets_open(), wiped by secrets_close(). */
struct secrets {
	uint8_t keys[1 + MASTER_KEYS_MAX][CRYPTO_KEY_BYTES]; /* the current key first, if any */
	char fingerprints[1 + MASTER_KEYS_MAX][SECRET_FINGERPRINT_BYTES + 1];
	size_t count;
	bool encrypts; /* there is an HL_MASTER_KEY */
};

/* SIGNING serves secret and old_secret, because a rotation moves the sealed text from one to the other. */
enum secret_kind { SECRET_SIGNING, SECRET_HEADERS };

/* The owner of a secret. */
struct secret_place {
	struct span tenant_id, endpoint_id; /* the id as 36 characters */
	enum secret_kind kind;
};

void secrets_open(struct secrets *secrets, const struct config *config);
void secrets_close(struct secrets *secrets);

/* Appends the stored form of plain to out, encrypted with HL_MASTER_KEY if there is one. */
void secret_seal(const struct secrets *secrets, const struct secret_place *place, struct span plain, struct bytes *out);

/*
 * Appends the plain secret to out, which the caller wipes. Returns 0, or <0 with out unchanged: its key is not
 * configured, or the stored text was altered. *err never contains the secret.
 */
int secret_read(const struct secrets *secrets, const struct secret_place *place, struct span stored, struct bytes *out,
    struct error *err);

/* Whether the stored text has the form that secret_seal() makes now: with the current key, or plain. */
bool secret_is_current(const struct secrets *secrets, struct span stored);

/*
 * Whether the stored text was encrypted with a key that is not configured; then sets fingerprint to that key's. The
 * text up to its fingerprint suffices.
 */
bool secret_lacks_key(
    const struct secrets *secrets, struct span stored, char fingerprint[SECRET_FINGERPRINT_BYTES + 1]);

/* Wipes the buffer's bytes and frees it. */
void secret_wipe(struct bytes *bytes);

#endif
