/* Decompression: round trips, several members, damage and an early end at every byte, and bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "ingest/inflate.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MIB ((size_t)1 << 20)

static const enum content_encoding compressed[] = {ENCODING_GZIP, ENCODING_ZSTD};

static struct inflated
deflated(enum content_encoding encoding, const char *text, size_t len)
{
	struct inflated out = {NULL, 0};

	if (encoding == ENCODING_ZSTD) {
		size_t bound = ZSTD_compressBound(len);

		out.base = malloc(bound);
		assert_non_null(out.base);
		out.len = ZSTD_compress(out.base, bound, text, len, 3);
		assert_false(ZSTD_isError(out.len));
	} else {
		z_stream z = {0};

		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
		out.len = deflateBound(&z, len);
		out.base = malloc(out.len);
		assert_non_null(out.base);
		z.next_in = (Bytef *)(uintptr_t)text;
		z.avail_in = (uInt)len;
		z.next_out = (Bytef *)out.base;
		z.avail_out = (uInt)out.len;
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		out.len = z.total_out;
		assert_int_equal(deflateEnd(&z), Z_OK);
	}
	return out;
}

static struct inflated
joined(struct inflated a, struct inflated b)
{
	struct inflated both = {malloc(a.len + b.len + 1), a.len + b.len};

	assert_non_null(both.base);
	memcpy(both.base, a.base, a.len);
	memcpy(both.base + a.len, b.base, b.len);
	return both;
}

static struct span
span(struct inflated bytes)
{
	return (struct span){bytes.base, bytes.len};
}

/* Decompresses from memory of exactly the body's size, and checks what holds for every result. */
static int
run(enum content_encoding encoding, struct span in, size_t max_out, struct inflated *out)
{
	char *copy = malloc(in.len > 0 ? in.len : 1);
	struct error err = {""};
	int rc;

	assert_non_null(copy);
	memcpy(copy, in.base, in.len);
	rc = inflate_body(encoding, (struct span){copy, in.len}, max_out, out, &err);
	free(copy);
	if (rc == 0) {
		assert_true(out->len <= max_out);
		assert_string_equal(err.text, "");
	} else {
		assert_null(out->base);
		assert_int_equal(out->len, 0);
		assert_true(strlen(err.text) > 10);
		assert_null(strstr(err.text, "(null)"));
	}
	return rc;
}

static int
condition(enum content_encoding encoding, struct inflated in, size_t max_out)
{
	struct inflated out;
	int rc = run(encoding, span(in), max_out, &out);

	free(out.base);
	return rc;
}

static void
check_text(enum content_encoding encoding, struct inflated in, size_t max_out, const char *text, size_t len)
{
	struct inflated out;

	assert_int_equal(run(encoding, span(in), max_out, &out), 0);
	assert_int_equal(out.len, len);
	if (len > 0)
		assert_memory_equal(out.base, text, len);
	free(out.base);
}

/* Text that compresses, but not to almost nothing. */
static char *
sample(size_t len)
{
	char *text = malloc(len + 1);
	uint32_t x = 12345;

	assert_non_null(text);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)('a' + (x >> 24) % 26);
	}
	return text;
}

static void
test_a_compressed_body_comes_back(void **state)
{
	/* Among them the sizes at which the buffer grows. */
	static const size_t sizes[] = {0, 1, 2, 100, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 1000000};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *text = sample(sizes[i]);

		for (size_t j = 0; j < COUNT(compressed); j++) {
			struct inflated in = deflated(compressed[j], text, sizes[i]);

			check_text(compressed[j], in, sizes[i], text, sizes[i]);
			check_text(compressed[j], in, sizes[i] + 1, text, sizes[i]);
			check_text(compressed[j], in, 8 * MIB, text, sizes[i]);
			if (sizes[i] > 0) {
				assert_int_equal(condition(compressed[j], in, sizes[i] - 1), INFLATE_TOO_LARGE);
				assert_int_equal(condition(compressed[j], in, 0), INFLATE_TOO_LARGE);
			}
			free(in.base);
		}
		free(text);
	}
}

/* The limit may be far below the size. */
static void
test_a_body_far_above_the_limit_is_refused(void **state)
{
	char *text = sample(100000);

	for (size_t max_out = 0; max_out < 99999; max_out = max_out * 3 + 1)
		for (size_t j = 0; j < COUNT(compressed); j++) {
			struct inflated in = deflated(compressed[j], text, 100000);

			assert_int_equal(condition(compressed[j], in, max_out), INFLATE_TOO_LARGE);
			free(in.base);
		}
	free(text);
}

/* zlib's own format and bare deflate are other encodings. Neither gzip nor zstd is taken for the other. */
static void
test_other_compressed_formats_are_refused(void **state)
{
	struct inflated gzip = deflated(ENCODING_GZIP, "{}", 2), zstd = deflated(ENCODING_ZSTD, "{}", 2);
	struct inflated zlib = {malloc(100), 100};

	assert_non_null(zlib.base);
	assert_int_equal(compress((Bytef *)zlib.base, &zlib.len, (const Bytef *)"{}", 2), Z_OK);
	for (size_t j = 0; j < COUNT(compressed); j++) {
		assert_int_equal(condition(compressed[j], zlib, 1000), INFLATE_CORRUPT);
		assert_int_equal(
		    condition(compressed[j], (struct inflated){zlib.base + 2, zlib.len - 6}, 1000), INFLATE_CORRUPT);
	}
	assert_int_equal(condition(ENCODING_GZIP, zstd, 1000), INFLATE_CORRUPT);
	assert_int_equal(condition(ENCODING_ZSTD, gzip, 1000), INFLATE_CORRUPT);
	free(gzip.base);
	free(zstd.base);
	free(zlib.base);
}

static void
test_several_members_are_one_body(void **state)
{
	for (size_t j = 0; j < COUNT(compressed); j++) {
		struct inflated a = deflated(compressed[j], "[{\"a\":", 6), b = deflated(compressed[j], "1}]", 3);
		struct inflated none = deflated(compressed[j], "", 0);
		struct inflated ab = joined(a, b), abn = joined(ab, none), nab = joined(none, ab);

		check_text(compressed[j], ab, 100, "[{\"a\":1}]", 9);
		check_text(compressed[j], abn, 100, "[{\"a\":1}]", 9);
		check_text(compressed[j], nab, 9, "[{\"a\":1}]", 9);
		assert_int_equal(condition(compressed[j], ab, 8), INFLATE_TOO_LARGE);
		for (size_t cut = 1; cut < b.len; cut++)
			assert_int_equal(
			    condition(compressed[j], (struct inflated){ab.base, ab.len - cut}, 100), INFLATE_CORRUPT);
		free(a.base);
		free(b.base);
		free(none.base);
		free(ab.base);
		free(abn.base);
		free(nab.base);
	}
}

static void
test_a_body_that_is_cut_short_is_refused(void **state)
{
	char *text = sample(40000);

	for (size_t j = 0; j < COUNT(compressed); j++) {
		struct inflated in = deflated(compressed[j], text, 40000), small = deflated(compressed[j], "{}", 2);

		for (size_t len = 0; len < small.len; len++)
			assert_int_equal(
			    condition(compressed[j], (struct inflated){small.base, len}, 100), INFLATE_CORRUPT);
		for (size_t len = 0; len < in.len; len += 997)
			assert_int_equal(
			    condition(compressed[j], (struct inflated){in.base, len}, MIB), INFLATE_CORRUPT);
		assert_int_equal(
		    condition(compressed[j], (struct inflated){in.base, in.len - 1}, MIB), INFLATE_CORRUPT);
		free(in.base);
		free(small.base);
	}
	free(text);
}

static void
test_garbage_after_the_end_is_refused(void **state)
{
	const struct inflated garbage[] = {
	    {(char[]){'x'}, 1},
	    {(char[]){0, 0, 0, 'x'}, 4},
	    {(char[]){0, '\x1f', '\x8b'}, 3},
	    {(char[]){'\x1f'}, 1},
	    {(char[]){'\x1f', '\x8b'}, 2},
	    {(char[]){'\x28', '\xb5', '\x2f', '\xfd'}, 4},
	    {(char[]){'{', '}', '\n', ' ', '{', '}'}, 6},
	};

	for (size_t j = 0; j < COUNT(compressed); j++)
		for (size_t i = 0; i < COUNT(garbage); i++) {
			struct inflated in = deflated(compressed[j], "{}", 2), both = joined(in, garbage[i]);

			assert_int_equal(condition(compressed[j], both, 1000), INFLATE_CORRUPT);
			assert_int_equal(condition(compressed[j], garbage[i], 1000), INFLATE_CORRUPT);
			free(in.base);
			free(both.base);
		}
}

/* gzip(1) ignores them also. */
static void
test_zeros_after_the_end_are_ignored(void **state)
{
	const struct inflated zeros = {(char[600]){0}, 600};

	for (size_t len = 1; len <= zeros.len; len = len * 2 + 1) {
		struct inflated padding = {zeros.base, len};
		struct inflated gzip = deflated(ENCODING_GZIP, "{}", 2), zstd = deflated(ENCODING_ZSTD, "{}", 2);
		struct inflated padded = joined(gzip, padding), more = joined(padded, gzip),
				other = joined(zstd, padding);

		check_text(ENCODING_GZIP, padded, 2, "{}", 2);
		assert_int_equal(condition(ENCODING_GZIP, more, 100), INFLATE_CORRUPT);
		assert_int_equal(condition(ENCODING_ZSTD, other, 100), INFLATE_CORRUPT);
		assert_int_equal(condition(ENCODING_GZIP, padding, 100), INFLATE_CORRUPT);
		free(gzip.base);
		free(zstd.base);
		free(padded.base);
		free(more.base);
		free(other.base);
	}
}

static void
check_words(enum content_encoding encoding, const char *in, size_t in_len, int rc, const char *words)
{
	struct error err = {""};
	struct inflated out;

	assert_int_equal(inflate_body(encoding, (struct span){in, in_len}, 1000, &out, &err), rc);
	assert_non_null(strstr(err.text, words));
}

/* Each reason has its own words. */
static void
test_each_refusal_has_its_reason(void **state)
{
	/* A frame without content. Its header names the window's size, or dictionary 7. */
	static const char window[] = "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00"; /* 128 MiB */
	static const char largest[] = "\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00"; /* 8 MiB */
	static const char dictionary[] = "\x28\xb5\x2f\xfd\x21\x07\x00\x01\x00\x00";
	struct inflated gzip = deflated(ENCODING_GZIP, "{}", 2), zstd = deflated(ENCODING_ZSTD, "{}", 2);
	struct inflated gz = joined(gzip, zstd), zg = joined(zstd, gzip);

	check_text(ENCODING_ZSTD, (struct inflated){(char *)(uintptr_t)largest, sizeof largest - 1}, 1000, "", 0);
	check_words(ENCODING_ZSTD, window, sizeof window - 1, INFLATE_NEEDS_MORE, "window of more than 8 MiB");
	check_words(ENCODING_ZSTD, dictionary, sizeof dictionary - 1, INFLATE_NEEDS_MORE, "dictionary");
	check_words(ENCODING_ZSTD, zstd.base, zstd.len - 1, INFLATE_CORRUPT, "cut short");
	check_words(ENCODING_GZIP, gzip.base, gzip.len - 1, INFLATE_CORRUPT, "cut short");
	check_words(ENCODING_GZIP, "{}", 2, INFLATE_CORRUPT, "not gzip");
	check_words(ENCODING_ZSTD, "{\"a\":1}", 7, INFLATE_CORRUPT, "not zstd");
	check_words(ENCODING_GZIP, gz.base, gz.len, INFLATE_CORRUPT, "followed by something that is not gzip");
	check_words(ENCODING_ZSTD, zg.base, zg.len, INFLATE_CORRUPT, "followed by something that is not zstd");
	free(gzip.base);
	free(zstd.base);
	free(gz.base);
	free(zg.base);
}

/* gzip has a checksum: whichever bit is flipped, the contents are right or refused. */
static void
test_a_damaged_gzip_body_is_refused(void **state)
{
	const char text[] = "{\"event_type\":\"tool_execution_completed\",\"session_id\":\"s\"}";
	struct inflated in = deflated(ENCODING_GZIP, text, strlen(text));
	size_t noticed = 0;

	for (size_t bit = 0; bit < in.len * 8; bit++) {
		struct inflated out;
		int rc;

		in.base[bit / 8] ^= (char)(1 << bit % 8);
		rc = run(ENCODING_GZIP, span(in), 1000, &out);
		if (rc == 0) {
			assert_int_equal(out.len, strlen(text));
			assert_memory_equal(out.base, text, strlen(text));
		} else {
			assert_true(rc == INFLATE_CORRUPT || rc == INFLATE_TOO_LARGE);
			noticed++;
		}
		free(out.base);
		in.base[bit / 8] ^= (char)(1 << bit % 8);
	}
	/* The other bits are time, system and level in the header, and those that fill the last byte. */
	assert_true(in.len * 8 - noticed < 8 * 8);
	free(in.base);
}

/* zstd frames have a checksum only on request. Whatever damage does, the result must stay within its limits. */
static void
test_a_damaged_zstd_body_stays_within_its_limits(void **state)
{
	char *text = sample(3000);
	struct inflated in = deflated(ENCODING_ZSTD, text, 3000);

	for (size_t bit = 0; bit < in.len * 8; bit += bit < 400 ? 1 : 37) {
		struct inflated out;

		in.base[bit / 8] ^= (char)(1 << bit % 8);
		assert_in_range(run(ENCODING_ZSTD, span(in), 5000, &out), 0, INFLATE_NEEDS_MORE);
		free(out.base);
		in.base[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(in.base);
	free(text);
}

/* A thousand times its size and more: refused at the limit, with memory for no more than the limit. */
static void
test_bombs_are_refused_at_the_limit(void **state)
{
	size_t len = 64 * MIB;
	char *zeros = calloc(1, len);

	assert_non_null(zeros);
	for (size_t j = 0; j < COUNT(compressed); j++) {
		struct inflated in = deflated(compressed[j], zeros, len);
		struct inflated many = {NULL, 0};

		assert_true(in.len * 500 < len);
		assert_int_equal(condition(compressed[j], in, MIB), INFLATE_TOO_LARGE);
		assert_int_equal(condition(compressed[j], in, len - 1), INFLATE_TOO_LARGE);
		check_text(compressed[j], in, len, zeros, len);
		free(in.base);

		/* The same with many small members, each of them harmless. */
		in = deflated(compressed[j], zeros, 10000);
		many.len = 200 * in.len;
		many.base = malloc(many.len);
		assert_non_null(many.base);
		for (size_t i = 0; i < 200; i++)
			memcpy(many.base + i * in.len, in.base, in.len);
		assert_int_equal(condition(compressed[j], many, MIB), INFLATE_TOO_LARGE);
		check_text(compressed[j], many, 2000000, zeros, 2000000);
		free(in.base);
		free(many.base);
	}
	free(zeros);
}

/* A frame of a few bytes that declares a huge size, or a huge window, gets the memory for neither. */
static void
test_declared_sizes_reserve_no_memory(void **state)
{
	/* magic; single segment with an 8-byte content size of 2^62; a raw last block of 1 byte */
	char huge_size[] = "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x40\x09\0\0x";
	/* magic; window descriptor of exponent 10 + 17 = 128 MiB, no size; a raw last block of 1 byte */
	char large_window[] = "\x28\xb5\x2f\xfd\x00\x88\x09\0\0x";
	/* the same with 8 MiB, which is served */
	char fair_window[] = "\x28\xb5\x2f\xfd\x00\x68\x09\0\0x";

	assert_int_equal(
	    condition(ENCODING_ZSTD, (struct inflated){huge_size, sizeof huge_size - 1}, MIB), INFLATE_TOO_LARGE);
	assert_int_equal(condition(ENCODING_ZSTD, (struct inflated){large_window, sizeof large_window - 1}, MIB),
	    INFLATE_NEEDS_MORE);
	check_text(ENCODING_ZSTD, (struct inflated){fair_window, sizeof fair_window - 1}, MIB, "x", 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_compressed_body_comes_back),
	    cmocka_unit_test(test_a_body_far_above_the_limit_is_refused),
	    cmocka_unit_test(test_other_compressed_formats_are_refused),
	    cmocka_unit_test(test_several_members_are_one_body),
	    cmocka_unit_test(test_a_body_that_is_cut_short_is_refused),
	    cmocka_unit_test(test_garbage_after_the_end_is_refused),
	    cmocka_unit_test(test_zeros_after_the_end_are_ignored),
	    cmocka_unit_test(test_each_refusal_has_its_reason),
	    cmocka_unit_test(test_a_damaged_gzip_body_is_refused),
	    cmocka_unit_test(test_a_damaged_zstd_body_stays_within_its_limits),
	    cmocka_unit_test(test_bombs_are_refused_at_the_limit),
	    cmocka_unit_test(test_declared_sizes_reserve_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
