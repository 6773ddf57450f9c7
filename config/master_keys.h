/* HL_MASTER_KEY and HL_MASTER_KEY_OLD: keys of 32 bytes in base64 (with or without '=') or hex, separated by commas. */
#ifndef CONFIG_MASTER_KEYS_H
#define CONFIG_MASTER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASTER_KEY_BYTES 32
#define MASTER_KEYS_MAX 16

/*
 * Reads a list of at most MASTER_KEYS_MAX keys. Returns their number, 0 if the text is not such a list. The caller
 * wipes keys.
 */
size_t master_keys_read(const char *text, uint8_t keys[MASTER_KEYS_MAX][MASTER_KEY_BYTES]);

/* Whether the text is a list of at most so many keys. */
bool master_keys_valid(const char *text, uint64_t most);

#endif
