/*
 * Reads and converts records of version 1, which hooksd 0.1.0 wrote into its ring and spool. Pure. bytes is 8-byte
 * aligned in all functions.
 */
#ifndef EVENT_RECORD_V1_H
#define EVENT_RECORD_V1_H

#include <stdbool.h>
#include <stddef.h>

/* The most bytes that record_v1_claims() looks at. */
#define RECORD_V1_CLAIM_BYTES 64

/* As record_claims() and record_check(), for version 1 only. */
size_t record_v1_claims(const void *bytes, size_t available);
bool record_v1_check(const void *bytes, size_t available);

/*
 * Converts a record that passed record_v1_check() to a sealed record of the current version at `to`, which is 8-byte
 * aligned, does not overlap bytes and has room for record_v1_claims() bytes. Returns the new length, never more than
 * that.
 */
size_t record_from_v1(const void *bytes, void *to);

#endif
