/* Numbers as users write them, with and without units. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Each of these reads the whole of text. False: text does not have the form, or its value does not fit; the result is
 * undefined then.
 */

/* Digits alone. */
bool units_read_number(const char *text, uint64_t *value);

/* Digits, or digits and K, M, G or T, which may be followed by i, B or iB; all in any case. */
bool units_read_size(const char *text, uint64_t *bytes);

/*
 * Digits, which count units of unit_ms milliseconds, or digits and ms, s, m or h in any case: a whole number of units.
 */
bool units_read_duration(const char *text, uint64_t unit_ms, uint64_t *units);

/* true, yes, on, 1, false, no, off or 0 in any case. */
bool units_read_bool(const char *text, bool *value);

/* Writes the number with the largest of KiB, MiB and GiB that keeps it whole: "8MiB". Cut to size bytes. */
void units_format_size(uint64_t bytes, char *out, size_t size);

/*
 * Writes units of unit_ms milliseconds with the largest of ms, s, m and h that keeps the number whole: "90s"; or "0".
 */
void units_format_duration(uint64_t units, uint64_t unit_ms, char *out, size_t size);

#endif
