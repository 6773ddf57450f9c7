/*
 * Decompression into a buffer that doubles until the bound. It may grow one byte beyond what is allowed: a stream that
 * fills that byte is too large, and one that does not has ended, so no other question about the end needs an answer.
 */
#include "ingest/inflate.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

/* The window of zstd's strongest ordinary level, 19. The format allows 2 GiB for which a few bytes could ask. */
#define ZSTD_WINDOW_LOG_MAX 23

#define FIRST_BYTES 16384

struct output {
	char *bytes;
	size_t used;
	size_t size;
	size_t max; /* size never exceeds it: the bound and one byte */
};

bool
content_encoding_parse(const char *value, size_t len, enum content_encoding *encoding)
{
	static const struct {
		const char *name;
		enum content_encoding encoding;
	} known[] = {
	    {"", ENCODING_IDENTITY},
	    {"identity", ENCODING_IDENTITY},
	    {"gzip", ENCODING_GZIP},
	    {"x-gzip", ENCODING_GZIP},
	    {"zstd", ENCODING_ZSTD},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strlen(known[i].name) == len && (len == 0 || strncasecmp(known[i].name, value, len) == 0)) {
			*encoding = known[i].encoding;
			return true;
		}
	return false;
}

/* Makes room for more output. Returns false when there may be no more. */
static bool
grow(struct output *out)
{
	if (out->size == out->max)
		return false;
	if (out->size == 0)
		out->size = FIRST_BYTES;
	else
		out->size = out->size > out->max / 2 ? out->max : out->size * 2;
	if (out->size > out->max)
		out->size = out->max;
	out->bytes = mem_resize(out->bytes, out->size, 1);
	return true;
}

static int
too_large(const struct output *out, struct error *err)
{
	(void)error_set(err, "the body is larger than %zu bytes when decompressed", out->max - 1);
	return INFLATE_TOO_LARGE;
}

static int
corrupt(const char *format, const char *why, struct error *err)
{
	(void)error_set(err, "the %s body is damaged: %s", format, why);
	return INFLATE_CORRUPT;
}

static int
inflate_identity(const char *in, size_t in_len, struct output *out, struct error *err)
{
	while (out->size - out->used < in_len)
		if (!grow(out))
			return too_large(out, err);
	if (in_len > 0)
		memcpy(out->bytes, in, in_len);
	out->used = in_len;
	return 0;
}

static unsigned int
at_most_uint(size_t n)
{
	return n < UINT_MAX ? (unsigned int)n : UINT_MAX;
}

static int
inflate_gzip(const char *in, size_t in_len, struct output *out, struct error *err)
{
	z_stream z = {0};
	bool ended = false; /* between members */
	int condition = 0;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return error_set(err, "no memory for a gzip decompressor");

	z.next_in = (Bytef *)(uintptr_t)in;
	while (condition == 0 && !(ended && in_len == 0)) {
		unsigned int given, room;
		int rc;

		if (out->used == out->size && !grow(out)) {
			condition = too_large(out, err);
			break;
		}
		if (ended)
			(void)inflateReset(&z);
		given = z.avail_in = at_most_uint(in_len);
		room = z.avail_out = at_most_uint(out->size - out->used);
		z.next_out = (Bytef *)out->bytes + out->used;
		rc = inflate(&z, Z_NO_FLUSH);
		in_len -= given - z.avail_in;
		out->used += room - z.avail_out;
		ended = rc == Z_STREAM_END;
		if (rc == Z_BUF_ERROR)
			condition = corrupt("gzip", "it is cut short", err);
		else if (rc == Z_MEM_ERROR)
			condition = error_set(err, "no memory for a gzip decompressor");
		else if (rc != Z_OK && rc != Z_STREAM_END)
			condition = corrupt("gzip", z.msg != NULL ? z.msg : "not this format", err);
	}
	(void)inflateEnd(&z);
	return condition;
}

static int
inflate_zstd(const char *in, size_t in_len, struct output *out, struct error *err)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer input = {in, in_len, 0};
	bool ended = false; /* between frames */
	int condition = 0;

	if (z == NULL)
		return error_set(err, "no memory for a zstd decompressor");
	(void)ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);

	while (condition == 0 && !(ended && input.pos == input.size)) {
		ZSTD_outBuffer output;
		size_t rc, consumed = input.pos;

		if (out->used == out->size && !grow(out)) {
			condition = too_large(out, err);
			break;
		}
		output = (ZSTD_outBuffer){out->bytes, out->size, out->used};
		rc = ZSTD_decompressStream(z, &output, &input);
		ended = rc == 0;
		if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge) {
			(void)error_set(err, "the zstd body needs a window larger than 8 MiB");
			condition = INFLATE_TOO_LARGE;
		} else if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) {
			condition = error_set(err, "no memory for a zstd decompressor");
		} else if (ZSTD_isError(rc)) {
			condition = corrupt("zstd", ZSTD_getErrorName(rc), err);
		} else if (!ended && input.pos == consumed && output.pos == out->used) {
			condition = corrupt("zstd", "it is cut short", err);
		}
		out->used = output.pos;
	}
	(void)ZSTD_freeDCtx(z);
	return condition;
}

int
inflate_body(enum content_encoding encoding, const void *in, size_t in_len, size_t max_out, char **out, size_t *out_len,
    struct error *err)
{
	struct output output = {.max = max_out + 1};
	int rc;

	assert(max_out < SIZE_MAX);
	if (encoding == ENCODING_GZIP)
		rc = inflate_gzip(in, in_len, &output, err);
	else if (encoding == ENCODING_ZSTD)
		rc = inflate_zstd(in, in_len, &output, err);
	else
		rc = inflate_identity(in, in_len, &output, err);
	if (rc == 0 && output.used > max_out)
		rc = too_large(&output, err);
	if (rc != 0) {
		free(output.bytes);
		output.bytes = NULL;
		output.used = 0;
	}
	*out = output.bytes;
	*out_len = output.used;
	return rc;
}
