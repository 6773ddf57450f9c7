/* Digests by libcrypto, random bytes by getrandom(2). */
#include "base/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* SHA1() and SHA256() look for a provider in each call, which takes ten times as long as the digest of a short text. */
#define OPENSSL_API_COMPAT 10100
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/log.h"

_Static_assert(SHA1_BYTES == SHA_DIGEST_LENGTH, "the length of a SHA-1");
_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "the length of a SHA-256");

void
crypto_sha1(struct span first, struct span second, uint8_t out[SHA1_BYTES])
{
	SHA_CTX sha;

	if (SHA1_Init(&sha) != 1 || SHA1_Update(&sha, first.base, first.len) != 1 ||
	    SHA1_Update(&sha, second.base, second.len) != 1 || SHA1_Final(out, &sha) != 1) {
		log_error("libcrypto gives no digest");
		abort();
	}
}

void
crypto_sha256(struct span text, uint8_t out[SHA256_BYTES])
{
	SHA256_CTX sha;

	if (SHA256_Init(&sha) != 1 || SHA256_Update(&sha, text.base, text.len) != 1 || SHA256_Final(out, &sha) != 1) {
		log_error("libcrypto gives no digest");
		abort();
	}
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
