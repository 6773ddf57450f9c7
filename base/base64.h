/* Base64 and base64url (RFC 4648 sections 4 and 5). Any process. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* STANDARD: with '+', '/' and '=' at the end. URL: with '-' and '_', without '='. */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };

/* Room for the text of that many bytes and a terminator. */
#define BASE64_TEXT_BYTES(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes the text of the bytes and a terminator; out has BASE64_TEXT_BYTES(len). Returns the length of the text. */
size_t base64_encode(const void *bytes, size_t len, enum base64_alphabet alphabet, char *out);

/*
 * Reads a text of that alphabet into out, which has room for size bytes; *len is set to their number. '=' at the end
 * may be left out of STANDARD text. False: it is no such text (the bits behind the last byte must be 0, so that each
 * value has one text), or it is longer. What stands in out is then undefined.
 */
bool base64_decode(struct span text, enum base64_alphabet alphabet, void *out, size_t size, size_t *len);

#endif
