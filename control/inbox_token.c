/* The MAC is the first half of HMAC-SHA256: nobody guesses 128 bits. */
#include "control/inbox_token.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/crypto.h"

#define PURPOSE "dev-inbox-token"
#define FIXED_BYTES (INBOX_TIME_BYTES + INBOX_RANDOM_BYTES)
#define MOST_BYTES (FIXED_BYTES + INBOX_TENANT_BYTES - 1 + INBOX_MAC_BYTES)

static void
make_mac(const uint8_t key[INBOX_KEY_BYTES], const void *of, size_t len, uint8_t mac[SHA256_BYTES])
{
	crypto_hmac_sha256((struct span){(const char *)key, INBOX_KEY_BYTES},
	    (struct span){PURPOSE, sizeof PURPOSE - 1}, (struct span){of, len}, mac);
}

void
inbox_token_make(
    const uint8_t key[INBOX_KEY_BYTES], const char *tenant_id, int64_t expires_ms, char out[INBOX_TOKEN_BYTES])
{
	uint8_t bytes[MOST_BYTES], mac[SHA256_BYTES];
	uint64_t expires = htobe64((uint64_t)expires_ms);
	size_t tenant = strlen(tenant_id), len = FIXED_BYTES + tenant;

	assert(tenant < INBOX_TENANT_BYTES);
	memcpy(bytes, &expires, INBOX_TIME_BYTES);
	crypto_random(bytes + INBOX_TIME_BYTES, INBOX_RANDOM_BYTES);
	memcpy(bytes + FIXED_BYTES, tenant_id, tenant);
	make_mac(key, bytes, len, mac);
	memcpy(bytes + len, mac, INBOX_MAC_BYTES);
	(void)base64_encode(bytes, len + INBOX_MAC_BYTES, BASE64_URL, out);
}

bool
inbox_token_read(
    const uint8_t key[INBOX_KEY_BYTES], struct span token, int64_t now_ms, char tenant_id[INBOX_TENANT_BYTES])
{
	uint8_t bytes[MOST_BYTES], mac[SHA256_BYTES];
	uint64_t expires;
	size_t len;

	if (!base64_decode(token, BASE64_URL, bytes, sizeof bytes, &len) || len <= FIXED_BYTES + INBOX_MAC_BYTES)
		return false;
	len -= INBOX_MAC_BYTES;
	make_mac(key, bytes, len, mac);
	if (!crypto_equal(mac, bytes + len, INBOX_MAC_BYTES))
		return false;
	memcpy(&expires, bytes, INBOX_TIME_BYTES);
	memcpy(tenant_id, bytes + FIXED_BYTES, len - FIXED_BYTES);
	tenant_id[len - FIXED_BYTES] = '\0';
	return (int64_t)be64toh(expires) > now_ms;
}
