/* Digests and AES by libcrypto, random bytes by getrandom(2). */
#include "base/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * Use the old SHA*_Init() calls: SHA1() and SHA256() look up a provider each time, ten times the cost of a short
 * digest.
 */
#define OPENSSL_API_COMPAT 10100
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/log.h"
#include "base/mem.h"

_Static_assert(SHA1_BYTES == SHA_DIGEST_LENGTH, "the length of a SHA-1");
_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "the length of a SHA-256");

/* code is the result of a libcrypto function, which fails only if the library is broken. */
static void
must_digest(int code)
{
	if (code == 1)
		return;
	log_error("libcrypto gives no digest");
	abort();
}

void
crypto_sha1(struct span first, struct span second, uint8_t out[SHA1_BYTES])
{
	SHA_CTX sha;

	must_digest(SHA1_Init(&sha));
	must_digest(SHA1_Update(&sha, first.base, first.len));
	must_digest(SHA1_Update(&sha, second.base, second.len));
	must_digest(SHA1_Final(out, &sha));
}

void
crypto_sha256(struct span text, uint8_t out[SHA256_BYTES])
{
	SHA256_CTX sha;

	must_digest(SHA256_Init(&sha));
	must_digest(SHA256_Update(&sha, text.base, text.len));
	must_digest(SHA256_Final(out, &sha));
}

struct crypto_sha256 {
	SHA256_CTX sha;
};

struct crypto_sha256 *
crypto_sha256_begin(void)
{
	struct crypto_sha256 *digest = mem_new(1, sizeof *digest);

	must_digest(SHA256_Init(&digest->sha));
	return digest;
}

void
crypto_sha256_add(struct crypto_sha256 *digest, struct span part)
{
	must_digest(SHA256_Update(&digest->sha, part.base, part.len));
}

void
crypto_sha256_end(struct crypto_sha256 *digest, uint8_t out[SHA256_BYTES])
{
	must_digest(SHA256_Final(out, &digest->sha));
	free(digest);
}

/* Half of an HMAC: the digest of the key's block xor pad, followed by the two spans. */
static void
keyed_sha256(
    const uint8_t block[SHA256_CBLOCK], uint8_t pad, struct span first, struct span second, uint8_t out[SHA256_BYTES])
{
	uint8_t padded[SHA256_CBLOCK];
	SHA256_CTX sha;

	for (size_t i = 0; i < sizeof padded; i++)
		padded[i] = block[i] ^ pad;
	must_digest(SHA256_Init(&sha));
	must_digest(SHA256_Update(&sha, padded, sizeof padded));
	must_digest(SHA256_Update(&sha, first.base, first.len));
	must_digest(SHA256_Update(&sha, second.base, second.len));
	must_digest(SHA256_Final(out, &sha));
	explicit_bzero(padded, sizeof padded);
	explicit_bzero(&sha, sizeof sha);
}

/* Not by HMAC(), which also looks up a provider each time. */
void
crypto_hmac_sha256(struct span key, struct span first, struct span second, uint8_t out[SHA256_BYTES])
{
	static const struct span none = {"", 0};
	uint8_t block[SHA256_CBLOCK] = {0}, inner[SHA256_BYTES];

	if (key.len > sizeof block)
		crypto_sha256(key, block);
	else if (key.len > 0)
		memcpy(block, key.base, key.len);
	keyed_sha256(block, 0x36, first, second, inner);
	keyed_sha256(block, 0x5c, (struct span){(const char *)inner, sizeof inner}, none, out);
	explicit_bzero(block, sizeof block);
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
crypto_random(void *out, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = getrandom((char *)out + have, len - have, 0);

		if (n > 0) {
			have += (size_t)n;
		} else if (errno != EINTR) {
			log_error("the kernel gives no random bytes", LOG_STR("error", strerror(errno)));
			abort();
		}
	}
}

/* ---- AES-256-GCM ---- */

/* A sealed text is the nonce, the encrypted bytes and the tag. */
#define NONCE_BYTES 12
#define TAG_BYTES 16

_Static_assert(CRYPTO_SEAL_BYTES == NONCE_BYTES + TAG_BYTES, "what sealing adds");

static EVP_CIPHER_CTX *
cipher_begin(const uint8_t key[CRYPTO_KEY_BYTES], const uint8_t *nonce, struct span bound, bool encrypt)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int ignored;

	if (cipher == NULL || EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) != 1 ||
	    EVP_CipherUpdate(cipher, NULL, &ignored, (const uint8_t *)bound.base, (int)bound.len) != 1) {
		log_error("libcrypto gives no AES-256-GCM");
		abort();
	}
	return cipher;
}

void
crypto_seal(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span plain, uint8_t *out)
{
	uint8_t *text = out + NONCE_BYTES;
	EVP_CIPHER_CTX *cipher;
	int len;

	crypto_random(out, NONCE_BYTES);
	cipher = cipher_begin(key, out, bound, true);
	if ((plain.len > 0 &&
		EVP_EncryptUpdate(cipher, text, &len, (const uint8_t *)plain.base, (int)plain.len) != 1) ||
	    EVP_EncryptFinal_ex(cipher, text + plain.len, &len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, text + plain.len) != 1) {
		log_error("libcrypto gives no AES-256-GCM");
		abort();
	}
	EVP_CIPHER_CTX_free(cipher);
}

bool
crypto_open(const uint8_t key[CRYPTO_KEY_BYTES], struct span bound, struct span sealed, uint8_t *out)
{
	const uint8_t *nonce = (const uint8_t *)sealed.base, *text = nonce + NONCE_BYTES;
	uint8_t tag[TAG_BYTES];
	EVP_CIPHER_CTX *cipher;
	size_t plain;
	bool good;
	int len;

	if (sealed.len < CRYPTO_SEAL_BYTES)
		return false;
	plain = sealed.len - CRYPTO_SEAL_BYTES;
	memcpy(tag, text + plain, sizeof tag);
	cipher = cipher_begin(key, nonce, bound, false);
	good = (plain == 0 || EVP_DecryptUpdate(cipher, out, &len, text, (int)plain) == 1) &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
	       EVP_DecryptFinal_ex(cipher, out + plain, &len) == 1;
	EVP_CIPHER_CTX_free(cipher);
	if (!good)
		explicit_bzero(out, plain);
	return good;
}
