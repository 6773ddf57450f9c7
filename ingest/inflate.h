/* Compressed request bodies: gzip and zstd, whole, with a bound on what comes out. */
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
 * Adds what the value of a Content-Encoding header says to *encoding, which begins as ENCODING_IDENTITY. The value is a
 * list, in any case, of "gzip", "x-gzip", "zstd", "identity" and empty names; the last two add nothing. value is not
 * NULL. Returns 0 or an enum encoding_condition.
 */
int content_encoding_add(const char *value, size_t len, enum content_encoding *encoding);

enum inflate_condition {
	INFLATE_TOO_LARGE = 1, /* more than max_out bytes */
	INFLATE_CORRUPT = 2, /* damaged, cut short, followed by something else, or another format */
	INFLATE_NEEDS_MORE = 3 /* whole, as it seems, but zstd with a window above 8 MiB or a dictionary */
};

struct inflated {
	char *base; /* the caller's to free(); NULL when there are no bytes */
	size_t len;
};

/*
 * Decompresses a whole body: one or several gzip members, which zeros may follow, or one or several zstd frames.
 * encoding is not ENCODING_IDENTITY. Sizes that the input declares are not trusted: memory grows with the real output,
 * to at most max_out (below SIZE_MAX) and one byte. Returns 0 with *out, or an enum inflate_condition; *err then says
 * what is wrong, and *out is empty. Ends the process when there is no memory.
 */
int inflate_body(
    enum content_encoding encoding, struct span in, size_t max_out, struct inflated *out, struct error *err);

#endif
