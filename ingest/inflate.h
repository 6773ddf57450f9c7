/* Decompresses whole request bodies, gzip and zstd, up to a size limit. */
#ifndef INGEST_INFLATE_H
#define INGEST_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

enum content_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_ZSTD };

enum encoding_condition {
	ENCODING_UNKNOWN = 1, /* a name that is not supported */
	ENCODING_SEVERAL = 2 /* compressed more than once */
};

/*
 * Adds a Content-Encoding header to *encoding, which begins as ENCODING_IDENTITY. The value is a list, in any case, of
 * "gzip", "x-gzip", "zstd", "identity" and empty names; the last two add nothing. value is not NULL. Returns 0 or an
 * enum encoding_condition.
 */
int content_encoding_add(const char *value, size_t len, enum content_encoding *encoding);

enum inflate_condition {
	INFLATE_TOO_LARGE = 1, /* more than max_out bytes */
	INFLATE_CORRUPT = 2, /* damaged, cut short, with trailing garbage, or another format */
	INFLATE_NEEDS_MORE = 3 /* valid so far, but zstd with a window above 8 MiB or a dictionary */
};

struct inflated {
	char *base; /* the caller frees it; NULL if empty */
	size_t len;
};

/*
 * Decompresses a whole body: one or more gzip members, which zeros may follow, or one or more zstd frames. encoding is
 * not ENCODING_IDENTITY. Declared sizes are not trusted: memory grows with the real output, to at most max_out + 1
 * bytes; max_out is below SIZE_MAX. Returns 0 with *out, or an enum inflate_condition with *err set and *out empty.
 * Ends the process when out of memory.
 */
int inflate_body(
    enum content_encoding encoding, struct span in, size_t max_out, struct inflated *out, struct error *err);

#endif
