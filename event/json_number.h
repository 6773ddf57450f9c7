/*
 * The value of a JSON number. Integers below 2^64 are exact, with either sign; any other spelling (a fraction, an
 * exponent, more digits) is the nearest double, and infinity where that is too large. Two of them are compared exactly
 * as C compares them, so 9007199254740993 is above 9007199254740992.0, and 1, 1.0 and 10e-1 are equal.
 */
#ifndef EVENT_JSON_NUMBER_H
#define EVENT_JSON_NUMBER_H

#include <float.h>
#include <stdbool.h>

#include "base/span.h"

#define JSON_NUMBER_CHARS_MAX 1000

typedef long double json_number;

_Static_assert(LDBL_MANT_DIG >= 64, "integers below 2^64 are exact in a long double");

/*
 * text is a JSON_NUMBER that scanned well. Returns false, and leaves *number alone, when it has more than
 * JSON_NUMBER_CHARS_MAX characters: such a number is compared with nothing. The process's locale is C's. Pure
 * otherwise.
 */
bool json_number_read(struct span text, json_number *number);

#endif
