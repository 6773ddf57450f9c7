/* Compressed request bodies: gzip and zstd, whole, with a bound on what comes out. */
#ifndef INGEST_INFLATE_H
#define INGEST_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum content_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_ZSTD };

/*
 * Reads the value of a Content-Encoding header in any case: "gzip", "x-gzip", "zstd", "identity", or nothing. Returns
 * false for anything else, lists of encodings included.
 */
bool content_encoding_parse(const char *value, size_t len, enum content_encoding *encoding);

enum inflate_condition {
	INFLATE_TOO_LARGE = 1, /* more than max_out bytes, or a zstd window above 8 MiB */
	INFLATE_CORRUPT = 2 /* damaged, cut short, or followed by something else */
};

/*
 * Decompresses a whole body, which may be several gzip members or zstd frames in a row. Sizes that the input declares
 * are not trusted: memory grows with what really comes out, to max_out (below SIZE_MAX) and one byte at the most.
 * Returns 0 with *out_len bytes at *out, for the caller to free() (NULL when there are none); or one of enum
 * inflate_condition, or <0 when there is no memory for a decompressor: *err then says what happened, *out is NULL.
 */
int inflate_body(enum content_encoding encoding, const void *in, size_t in_len, size_t max_out, char **out,
    size_t *out_len, struct error *err);

#endif
