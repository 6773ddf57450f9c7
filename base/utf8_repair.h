/* Repairs text from outside so that every store accepts it. Any process. */
#ifndef BASE_UTF8_REPAIR_H
#define BASE_UTF8_REPAIR_H

#include "base/bytes.h"
#include "base/span.h"

/* Appends the text, replacing each NUL and each byte of invalid UTF-8 by U+FFFD. */
void utf8_repair(struct span text, struct bytes *out);

#endif
