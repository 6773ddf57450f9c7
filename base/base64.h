/* Base64 and base64url (RFC 4648 sections 4 and 5). Any process. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* STANDARD: with '+', '/' and '=' at the end. URL: with '-' and '_', without '='. */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };

/* Size of the text of that many bytes, with its terminator. */
#define BASE64_TEXT_BYTES(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes the text of the bytes and a terminator; out has BASE64_TEXT_BYTES(len) bytes. Returns the text's length. */
size_t base64_encode(const void *bytes, size_t len, enum base64_alphabet alphabet, char *out);

/*
 * Decodes a text of that alphabet into out, which has room for size bytes; *len is the number of decoded bytes.
 * STANDARD text may lack its trailing '='. False: the text is invalid or does not fit, and out is undefined. The unused
 * bits of the last digit must be 0, so that each value has exactly one text.
 */
bool base64_decode(struct span text, enum base64_alphabet alphabet, void *out, size_t size, size_t *len);

#endif
