/*
 * Records of version 1, as hooksd 0.1.0 wrote them into its ring and its spool: found, checked, and turned into records
 * of today. Pure. bytes is 8-byte aligned in all of these.
 */
#ifndef EVENT_RECORD_V1_H
#define EVENT_RECORD_V1_H

#include <stdbool.h>
#include <stddef.h>

/* The most bytes that record_v1_claims() looks at. */
#define RECORD_V1_CLAIM_BYTES 64

/* As record_claims() and record_check(), for version 1; anything else claims 0 bytes and does not pass. */
size_t record_v1_claims(const void *bytes, size_t available);
bool record_v1_check(const void *bytes, size_t available);

/*
 * Writes the event of a record that passed record_v1_check() as a sealed record of today to `to` (8-byte aligned),
 * which does not overlap it and has room for as many bytes as record_v1_claims() said. Returns the new record's length,
 * which is never greater than that.
 */
size_t record_from_v1(const void *bytes, void *to);

#endif
