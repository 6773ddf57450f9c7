/* Text from outside, made such that every store takes it. Any process. */
#ifndef BASE_UTF8_REPAIR_H
#define BASE_UTF8_REPAIR_H

#include "base/bytes.h"
#include "base/span.h"

/* Appends the text, with U+FFFD in the place of each NUL and of each byte that is no part of a character of UTF-8. */
void utf8_repair(struct span text, struct bytes *out);

#endif
