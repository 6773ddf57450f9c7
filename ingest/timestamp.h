/*
 * Points in time as clients write them -> microseconds since 1970-01-01T00:00:00Z. Proleptic Gregorian calendar
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
 * optionally "." or "," and any number of digits, then optionally an offset: Z, z, +HH, +HHMM, +HH:MM or the same with
 * "-". No offset means UTC. Digits after the sixth are cut off. Second 60 is the first of the next minute, as
 * PostgreSQL has it; hour 24 is refused.
 *
 * Returns NULL when *us was set, otherwise a sentence for the client (static text).
 */
const char *timestamp_parse(const char *text, size_t len, int64_t *us);

/*
 * Reads a JSON number (text must have passed the scanner): seconds since the epoch, or milliseconds when it is beyond
 * 20000000000 on either side of zero. From decimal to decimal, without floating point; a fraction of a microsecond is
 * rounded to the nearest, away from zero when halfway, because such digits are mostly the tail of a binary fraction.
 * len must be below 2^30. Returns what timestamp_parse() returns.
 */
const char *timestamp_parse_number(const char *text, size_t len, int64_t *us);

#endif
