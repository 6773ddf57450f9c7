/*
 * The value of a JSON number. Integers below 2^64 are exact, with either sign. Any other spelling (a fraction, an
 * exponent, more digits) becomes the nearest double, or infinity on overflow. Compare them as C does: 9007199254740993
 * is above 9007199254740992.0, and 1, 1.0 and 10e-1 are equal.
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
 * Reads text, a JSON_NUMBER that passed the scanner. Returns false and leaves *number alone if it has more than
 * JSON_NUMBER_CHARS_MAX characters: no comparison with such a number holds. Needs the C locale; otherwise pure.
 */
bool json_number_read(struct span text, json_number *number);

#endif
