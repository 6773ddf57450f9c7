/*
 * Arbitrary bytes as compressed bodies, and as the value of Content-Encoding. The first byte of an input selects the
 * encoding and the limit. For every input:
 *
 *   - the result is within the limit, and a refusal has a reason;
 *   - the result is the same under a limit that just fits, and there is none under one that is a byte less.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/inflate.h"
#include "tests/fuzz/target.h"

#define LIMIT_MAX ((size_t)1 << 20)

static int
inflate_copy(enum content_encoding encoding, struct span in, size_t most, struct inflated *out)
{
	/* Memory that ends where the body ends, so that a sanitizer sees a read past its end. */
	char *copy = malloc(in.len > 0 ? in.len : 1);
	struct error err = {.text = ""};
	int rc;

	assert(copy != NULL);
	if (in.len > 0)
		memcpy(copy, in.base, in.len);
	rc = inflate_body(encoding, (struct span){copy, in.len}, most, out, &err);
	assert(rc == 0 ? out->len <= most : out->base == NULL && out->len == 0 && err.text[0] != '\0');
	assert(rc >= 0 && rc <= INFLATE_NEEDS_MORE);
	free(copy);
	return rc;
}

static void
check_limits(enum content_encoding encoding, struct span in, const struct inflated *whole)
{
	struct inflated again;

	assert(inflate_copy(encoding, in, whole->len, &again) == 0);
	assert(again.len == whole->len && (again.len == 0 || memcmp(again.base, whole->base, again.len) == 0));
	free(again.base);
	if (whole->len > 0)
		assert(inflate_copy(encoding, in, whole->len - 1, &again) == INFLATE_TOO_LARGE);
}

static void
check_header(const char *value, size_t len)
{
	enum content_encoding encoding = ENCODING_IDENTITY;
	int rc = content_encoding_add(value, len, &encoding);

	assert(rc == 0 || rc == ENCODING_UNKNOWN || rc == ENCODING_SEVERAL);
	assert(encoding == ENCODING_IDENTITY || encoding == ENCODING_GZIP || encoding == ENCODING_ZSTD);
	assert(len > 0 || encoding == ENCODING_IDENTITY);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum content_encoding encoding;
	struct inflated out;
	struct span in;
	size_t most;

	if (size == 0)
		return 0;
	encoding = data[0] % 2 == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
	most = data[0] < 0x80 ? LIMIT_MAX : 100;
	in = (struct span){(const char *)data + 1, size - 1};
	check_header(in.base, in.len);
	if (inflate_copy(encoding, in, most, &out) == 0) {
		check_limits(encoding, in, &out);
		free(out.base);
	}
	return 0;
}
