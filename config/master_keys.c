/* Keys in text. */
#include "config/master_keys.h"

#include <string.h>

#include "base/base64.h"

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool
read_hex(const char *text, uint8_t key[MASTER_KEY_BYTES])
{
	for (size_t i = 0; i < MASTER_KEY_BYTES; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
read_key(const char *text, size_t len, uint8_t key[MASTER_KEY_BYTES])
{
	size_t bytes;

	if (len == 2 * (size_t)MASTER_KEY_BYTES && read_hex(text, key))
		return true;
	return base64_decode((struct span){text, len}, BASE64_STANDARD, key, MASTER_KEY_BYTES, &bytes) &&
	       bytes == MASTER_KEY_BYTES;
}

size_t
master_keys_read(const char *text, uint8_t keys[MASTER_KEYS_MAX][MASTER_KEY_BYTES])
{
	for (size_t count = 0; count < MASTER_KEYS_MAX;) {
		size_t len = strcspn(text, ",");

		if (!read_key(text, len, keys[count++]))
			return 0;
		if (text[len] == '\0')
			return count;
		text += len + 1;
	}
	return 0;
}

bool
master_keys_valid(const char *text, uint64_t most)
{
	uint8_t keys[MASTER_KEYS_MAX][MASTER_KEY_BYTES];
	size_t count = master_keys_read(text, keys);

	explicit_bzero(keys, sizeof keys);
	return count >= 1 && count <= most;
}
