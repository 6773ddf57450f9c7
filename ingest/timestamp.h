/*
 * Reads clients' timestamps as microseconds since 1970-01-01T00:00:00Z, in the proleptic Gregorian calendar
 * (base/calendar.h). Pure.
 */
#ifndef INGEST_TIMESTAMP_H
#define INGEST_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

/* The range, after conversion to UTC: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z. */
#define TIMESTAMP_MIN_US (-62135596800 * 1000000)
#define TIMESTAMP_MAX_US (253402300800 * 1000000 - 1)

/*
 * Reads YYYY-MM-DD, alone (midnight UTC) or followed by one of "T", "t", " ", "_" and HH:MM, then optionally :SS, then
 * optionally "." or "," and digits, then optionally an offset: Z, z, +HH, +HHMM, +HH:MM or the same with "-". No offset
 * means UTC. Digits after the sixth are ignored. Second 60 is the first of the next minute, as in PostgreSQL; hour 24
 * is refused.
 *
 * Returns NULL with *us set, or a sentence for the client (static text).
 */
const char *timestamp_parse(const char *text, size_t len, int64_t *us);

/*
 * Reads a JSON number (text must have passed the scanner): seconds since the epoch, or milliseconds if its absolute
 * value is above 20000000000. Converts decimally, without floating point. Rounds to the nearest microsecond, halves
 * away from zero, because further digits are mostly the tail of a binary fraction. len is below 2^30. Returns as
 * timestamp_parse().
 */
const char *timestamp_parse_number(const char *text, size_t len, int64_t *us);

#endif
