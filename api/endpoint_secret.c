/* Checks and makes secrets of endpoints. */
#include "api/endpoint_secret.h"

#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/crypto.h"

#define GENERATED_KEY_BYTES 32

static bool
begins_with(struct span text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.base, with, len) == 0;
}

static int
check_key(struct span key, struct error *err)
{
	uint8_t bytes[ENDPOINT_SECRET_MOST];
	size_t len;
	bool valid = key.len % 4 == 0 && base64_decode(key, BASE64_STANDARD, bytes, sizeof bytes, &len);

	explicit_bzero(bytes, sizeof bytes);
	if (!valid)
		return error_set(
		    err, "begins with '" ENDPOINT_SECRET_PREFIX "', but the rest is not base64 with its '='");
	if (len < ENDPOINT_SECRET_KEY_LEAST || len > ENDPOINT_SECRET_KEY_MOST)
		return error_set(err, "has %zu bytes in base64 behind " ENDPOINT_SECRET_PREFIX "; %d to %d are allowed",
		    len, ENDPOINT_SECRET_KEY_LEAST, ENDPOINT_SECRET_KEY_MOST);
	return 0;
}

int
endpoint_secret_check(struct span text, struct error *err)
{
	static const char *const other[] = {"v1,", "v1a,", "whsk_", "whpk_"};

	if (text.len > ENDPOINT_SECRET_MOST)
		return error_set(err, "has %zu bytes, %d at most", text.len, ENDPOINT_SECRET_MOST);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.base[i] < ' ' || text.base[i] == 0x7f)
			return error_set(err, "has a control character, such as a line break, at byte %zu", i + 1);
	if (text.len > 0 && (text.base[0] == ' ' || text.base[text.len - 1] == ' '))
		return error_set(err, "begins or ends with a blank");
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		if (begins_with(text, other[i]))
			return error_set(err, "begins with '%s', which does not belong to a secret for HMAC", other[i]);
	if (begins_with(text, ENDPOINT_SECRET_PREFIX)) {
		size_t prefix = strlen(ENDPOINT_SECRET_PREFIX);

		return check_key((struct span){text.base + prefix, text.len - prefix}, err);
	}
	if (text.len < ENDPOINT_SECRET_LEAST)
		return error_set(err, "has %zu bytes, at least %d are needed", text.len, ENDPOINT_SECRET_LEAST);
	return 0;
}

void
endpoint_secret_make(char out[ENDPOINT_SECRET_GENERATED_BYTES])
{
	uint8_t key[GENERATED_KEY_BYTES];
	size_t prefix = strlen(ENDPOINT_SECRET_PREFIX);

	_Static_assert(sizeof ENDPOINT_SECRET_PREFIX - 1 + BASE64_TEXT_BYTES(GENERATED_KEY_BYTES) ==
			   ENDPOINT_SECRET_GENERATED_BYTES,
	    "room for a generated secret");
	crypto_random(key, sizeof key);
	memcpy(out, ENDPOINT_SECRET_PREFIX, prefix);
	base64_encode(key, sizeof key, BASE64_STANDARD, out + prefix);
	explicit_bzero(key, sizeof key);
}
