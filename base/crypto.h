/* The tree's one use of libcrypto, and the kernel's random bytes. TLS is libh2o's affair. Any process. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SHA1_BYTES 20
#define SHA256_BYTES 32

/* SHA-1 (FIPS 180-4) of the two spans, one behind the other: for names of version 5 (RFC 9562), never for secrecy. */
void crypto_sha1(struct span first, struct span second, uint8_t out[SHA1_BYTES]);

/* SHA-256 (FIPS 180-4). Allocates nothing. */
void crypto_sha256(struct span text, uint8_t out[SHA256_BYTES]);

/* The same of a text that comes in parts. crypto_sha256_end() frees what crypto_sha256_begin() has made. */
struct crypto_sha256 *crypto_sha256_begin(void);
void crypto_sha256_add(struct crypto_sha256 *digest, struct span part);
void crypto_sha256_end(struct crypto_sha256 *digest, uint8_t out[SHA256_BYTES]);

/*
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) with a key of any length of the two spans, one behind the other. Allocates
 * nothing.
 */
void crypto_hmac_sha256(struct span key, struct span first, struct span second, uint8_t out[SHA256_BYTES]);

/* Whether two secrets of len bytes are the same, in a time that does not tell where they differ. */
bool crypto_equal(const void *a, const void *b, size_t len);

/* Fills out with random bytes fit for secrets. Waits until the kernel has any; ends the process if it gives none. */
void crypto_random(void *out, size_t len);

/* ---- AES-256-GCM (NIST SP 800-38D), with a random nonce: at most 2^32 texts a key ---- */

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_SEAL_BYTES 28 /* what a sealed text is longer than the plain one */

/*
 * Encrypts plain into out, plain.len + CRYPTO_SEAL_BYTES bytes. It opens only with the same bound text, which is not in
 * out. Each at most 1 GiB.
 */
void crypto_seal(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span plain, uint8_t *out);

/*
 * The reverse; out has room for sealed.len - CRYPTO_SEAL_BYTES bytes. false: another key, another bound text, or a byte
 * was changed; out holds nothing of the plain text then.
 */
bool crypto_open(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span sealed, uint8_t *out);

#endif
