/*
 * Decompresses into a buffer that doubles up to the limit and one byte. A stream that fills that extra byte is too
 * large; otherwise it has ended within the limit.
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

/* The window of level 19, zstd's highest normal level. Without a limit a few bytes of input could demand 2 GiB. */
#define ZSTD_WINDOW_LOG_MAX 23

#define FIRST_BYTES 16384

struct output {
	char *bytes;
	size_t used;
	size_t size;
	size_t max; /* the caller's limit plus one byte */
};

/* Looks up one name of the list. Returns 0 or ENCODING_UNKNOWN. */
static int
encoding_named(const char *name, size_t len, enum content_encoding *encoding)
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
		if (strlen(known[i].name) == len && strncasecmp(known[i].name, name, len) == 0) {
			*encoding = known[i].encoding;
			return 0;
		}
	return ENCODING_UNKNOWN;
}

int
content_encoding_add(const char *value, size_t len, enum content_encoding *encoding)
{
	const char *end = value + len;

	for (const char *name = value, *comma; name < end; name = comma + 1) {
		const char *last;
		enum content_encoding one;

		comma = memchr(name, ',', (size_t)(end - name));
		if (comma == NULL)
			comma = end;
		for (last = comma; last > name && (last[-1] == ' ' || last[-1] == '\t'); last--)
			;
		while (name < last && (*name == ' ' || *name == '\t'))
			name++;
		if (encoding_named(name, (size_t)(last - name), &one) != 0)
			return ENCODING_UNKNOWN;
		if (one != ENCODING_IDENTITY && *encoding != ENCODING_IDENTITY)
			return ENCODING_SEVERAL;
		if (one != ENCODING_IDENTITY)
			*encoding = one;
	}
	return 0;
}

/* Makes room for more output. Returns false at the greatest size. */
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
refuse_size(const struct output *out, struct error *err)
{
	(void)error_set(err, "the body is larger than %zu bytes when decompressed", out->max - 1);
	return INFLATE_TOO_LARGE;
}

static int
refuse_damage(const char *format, const char *why, struct error *err)
{
	(void)error_set(err, "the %s body is damaged: %s", format, why);
	return INFLATE_CORRUPT;
}

/* Refuses input that is not a member or frame of the format. */
static int
refuse_format(const char *format, bool first, struct error *err)
{
	if (first)
		(void)error_set(err, "the body is not %s: it does not begin like it", format);
	else
		(void)error_set(err, "the %s body is followed by something that is not %s", format, format);
	return INFLATE_CORRUPT;
}

static bool
only_zeros(const char *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static unsigned int
at_most_uint(size_t n)
{
	return n < UINT_MAX ? (unsigned int)n : UINT_MAX;
}

static int
inflate_gzip(struct span in, struct output *out, struct error *err)
{
	size_t in_len = in.len;
	z_stream z = {0};
	bool between = true, ended = false; /* before the first byte of a member; after a complete one */
	int condition = 0;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		mem_none(0);

	z.next_in = (Bytef *)(uintptr_t)in.base;
	/* Ignore zeros after the end, as gzip(1) does: padding of tapes and block devices. */
	while (condition == 0 && !(ended && only_zeros((const char *)z.next_in, in_len))) {
		unsigned int given, room;
		int rc;

		if (out->used == out->size && !grow(out)) {
			condition = refuse_size(out, err);
			break;
		}
		if (between && in_len > 0 && *z.next_in != 0x1f) {
			condition = refuse_format("gzip", !ended, err);
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
		between = ended = rc == Z_STREAM_END;
		if (rc == Z_BUF_ERROR)
			condition = refuse_damage("gzip", "it is cut short", err);
		else if (rc == Z_MEM_ERROR)
			mem_none(0);
		else if (rc != Z_OK && rc != Z_STREAM_END)
			condition = refuse_damage("gzip", z.msg != NULL ? z.msg : "not this format", err);
	}
	(void)inflateEnd(&z);
	return condition;
}

/* Converts zstd's error for the frame at rest to a condition. first: it is the first frame. */
static int
zstd_refusal(size_t rc, struct span rest, bool first, const struct output *out, struct error *err)
{
	unsigned long long declared = ZSTD_getFrameContentSize(rest.base, rest.len);

	switch (ZSTD_getErrorCode(rc)) {
	case ZSTD_error_memory_allocation:
		mem_none(0);
	case ZSTD_error_frameParameter_windowTooLarge:
		/* A frame with a declared size needs a window of at most that size, so the body is just too large. */
		if (declared < ZSTD_CONTENTSIZE_ERROR && declared >= out->max)
			return refuse_size(out, err);
		(void)error_set(err, "the zstd body needs a window of more than 8 MiB to be decompressed: "
				     "compress by level 19 or less, without --ultra and --long");
		return INFLATE_NEEDS_MORE;
	case ZSTD_error_dictionary_wrong:
		(void)error_set(err, "the zstd body needs a dictionary to be decompressed: compress without one");
		return INFLATE_NEEDS_MORE;
	case ZSTD_error_prefix_unknown:
		return refuse_format("zstd", first, err);
	default:
		return refuse_damage("zstd", ZSTD_getErrorName(rc), err);
	}
}

static int
inflate_zstd(struct span in, struct output *out, struct error *err)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer input = {in.base, in.len, 0};
	bool first = true, ended = false; /* in the first frame; at a frame's end */
	int condition = 0;

	if (z == NULL)
		mem_none(0);
	(void)ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);

	while (condition == 0 && !(ended && input.pos == input.size)) {
		ZSTD_outBuffer output;
		size_t rc, consumed = input.pos;

		if (out->used == out->size && !grow(out)) {
			condition = refuse_size(out, err);
			break;
		}
		output = (ZSTD_outBuffer){out->bytes, out->size, out->used};
		rc = ZSTD_decompressStream(z, &output, &input);
		ended = rc == 0;
		if (ZSTD_isError(rc))
			condition =
			    zstd_refusal(rc, (struct span){in.base + consumed, in.len - consumed}, first, out, err);
		else if (!ended && input.pos == consumed && output.pos == out->used)
			condition = refuse_damage("zstd", "it is cut short", err);
		first = first && !ended;
		out->used = output.pos;
	}
	(void)ZSTD_freeDCtx(z);
	return condition;
}

int
inflate_body(enum content_encoding encoding, struct span in, size_t max_out, struct inflated *out, struct error *err)
{
	struct output output = {.max = max_out + 1};
	int rc;

	assert(max_out < SIZE_MAX && encoding != ENCODING_IDENTITY);
	if (encoding == ENCODING_GZIP)
		rc = inflate_gzip(in, &output, err);
	else
		rc = inflate_zstd(in, &output, err);
	if (rc == 0 && output.used > max_out)
		rc = refuse_size(&output, err);
	if (rc != 0) {
		free(output.bytes);
		output.bytes = NULL;
		output.used = 0;
	}
	out->base = output.bytes;
	out->len = output.used;
	return rc;
}
