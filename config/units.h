/* Numbers as users write them, with and without units. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each reads the whole of text into *value. False: text is nothing of the kind, or too large. *value is undefined then. */
bool units_read_number(const char *text, uint64_t *value); /* digits alone */
bool units_read_size(const char *text, uint64_t *bytes); /* digits and K, M, G or T, each also with i, B or iB */
/* Digits, which count units of unit_ms, or digits and ms, s, m or h in any case. False also if it is no whole number of units. */
bool units_read_duration(const char *text, uint64_t unit_ms, uint64_t *units);
bool units_read_bool(const char *text, bool *value); /* true, yes, on, 1, false, no, off, 0 in any case */

/* Writes the number with the largest binary unit that keeps it whole: "8MiB". Cut to size bytes. */
void units_format_size(uint64_t bytes, char *out, size_t size);

/* Writes a duration of whole units of unit_ms with the largest of ms, s, m and h that keeps it whole: "90s"; or "0". */
void units_format_duration(uint64_t units, uint64_t unit_ms, char *out, size_t size);

#endif
