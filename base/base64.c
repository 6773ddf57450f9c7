/* Base64, six bits a character. */
#include "base/base64.h"

#include <string.h>

static const char digits[2][65] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t
base64_encode(const void *bytes, size_t len, enum base64_alphabet alphabet, char *out)
{
	const uint8_t *in = bytes;
	uint32_t bits = 0;
	unsigned held = 0; /* bits that are not written yet */
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 6; held -= 6)
			out[n++] = digits[alphabet][bits >> (held - 6) & 63];
	}
	if (held > 0)
		out[n++] = digits[alphabet][bits << (6 - held) & 63];
	while (alphabet == BASE64_STANDARD && n % 4 != 0)
		out[n++] = '=';
	out[n] = '\0';
	return n;
}

bool
base64_decode(struct span text, enum base64_alphabet alphabet, void *out, size_t size, size_t *len)
{
	uint8_t *bytes = out;
	size_t n = 0, chars = text.len;
	uint32_t bits = 0;
	unsigned held = 0;

	if (alphabet == BASE64_STANDARD && chars % 4 == 0)
		for (int i = 0; i < 2 && chars > 0 && text.base[chars - 1] == '='; i++)
			chars--;
	for (size_t i = 0; i < chars; i++) {
		const char *digit = memchr(digits[alphabet], text.base[i], 64);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits[alphabet]);
		held += 6;
		if (held < 8)
			continue;
		if (n == size)
			return false;
		held -= 8;
		bytes[n++] = (uint8_t)(bits >> held);
	}
	*len = n;
	return held < 6 && (bits & ((1u << held) - 1)) == 0;
}
