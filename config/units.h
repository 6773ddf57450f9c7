/* Numbers as users write them, with and without units. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each reads all of text. False: text is malformed or its value does not fit; the result is then undefined. */

/* Digits alone. */
bool units_read_number(const char *text, uint64_t *value);

/* Digits, perhaps with K, M, G or T, and then perhaps i, B or iB; in any case. */
bool units_read_size(const char *text, uint64_t *bytes);

/*
 * Digits, counting units of unit_ms milliseconds; or digits with ms, s, m or h in any case. Must be a whole number of
 * units.
 */
bool units_read_duration(const char *text, uint64_t unit_ms, uint64_t *units);

/* true, yes, on, 1, false, no, off or 0 in any case. */
bool units_read_bool(const char *text, bool *value);

/* Writes bytes with the largest of KiB, MiB and GiB that keeps the number whole: "8MiB". Cut to size bytes. */
void units_format_size(uint64_t bytes, char *out, size_t size);

/*
 * Writes units of unit_ms milliseconds with the largest of ms, s, m and h that keeps the number whole: "90s". Zero is
 * "0".
 */
void units_format_duration(uint64_t units, uint64_t unit_ms, char *out, size_t size);

#endif
