/* The tree's one use of libcrypto, and the kernel's random bytes. TLS is libh2o's affair. Any process. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SHA1_BYTES 20
#define SHA256_BYTES 32

/* SHA-1 (FIPS 180-4) of the two spans together: for UUIDs of version 5 (RFC 9562), never for secrecy. */
void crypto_sha1(struct span first, struct span second, uint8_t out[SHA1_BYTES]);

/* SHA-256 (FIPS 180-4). Allocates nothing. */
void crypto_sha256(struct span text, uint8_t out[SHA256_BYTES]);

/* SHA-256 of a text in parts. crypto_sha256_end() frees the digest that crypto_sha256_begin() made. */
struct crypto_sha256 *crypto_sha256_begin(void);
void crypto_sha256_add(struct crypto_sha256 *digest, struct span part);
void crypto_sha256_end(struct crypto_sha256 *digest, uint8_t out[SHA256_BYTES]);

/* HMAC-SHA256 (RFC 2104, FIPS 180-4) of the two spans together, with a key of any length. Allocates nothing. */
void crypto_hmac_sha256(struct span key, struct span first, struct span second, uint8_t out[SHA256_BYTES]);

/* Whether two secrets of len bytes are equal, in constant time. */
bool crypto_equal(const void *a, const void *b, size_t len);

/*
 * Fills out with random bytes fit for secrets. Waits until the kernel's generator is ready; ends the process if
 * getrandom(2) fails.
 */
void crypto_random(void *out, size_t len);

/* ---- AES-256-GCM (NIST SP 800-38D), with a random nonce: at most 2^32 texts a key ---- */

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_SEAL_BYTES 28 /* how much longer a sealed text is than the plain one */

/*
 * Encrypts plain into out, plain.len + CRYPTO_SEAL_BYTES bytes. Opening it needs the same bound text, which is
 * authenticated but not stored. Each text is at most 1 GiB.
 */
void crypto_seal(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span plain, uint8_t *out);

/*
 * Decrypts sealed; out has room for sealed.len - CRYPTO_SEAL_BYTES bytes. False: the key or the bound text is another
 * one, or a byte was changed; out then holds no plain text.
 */
bool crypto_open(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span sealed, uint8_t *out);

#endif
