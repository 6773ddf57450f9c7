/* The names of encodings in Content-Encoding headers: one name, lists, several headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "ingest/inflate.h"

static void
test_known_names_are_found_and_others_are_refused(void **state)
{
	static const struct {
		const char *value;
		int rc;
		enum content_encoding encoding;
	} cases[] = {
	    {"", 0, ENCODING_IDENTITY},
	    {"identity", 0, ENCODING_IDENTITY},
	    {"gzip", 0, ENCODING_GZIP},
	    {"x-gzip", 0, ENCODING_GZIP},
	    {"GZip", 0, ENCODING_GZIP},
	    {"zstd", 0, ENCODING_ZSTD},
	    {"ZSTD", 0, ENCODING_ZSTD},
	    {"gzip, identity", 0, ENCODING_GZIP},
	    {"identity,zstd", 0, ENCODING_ZSTD},
	    {"identity, Identity", 0, ENCODING_IDENTITY},
	    {" \tgzip\t ,, ,", 0, ENCODING_GZIP},
	    {",", 0, ENCODING_IDENTITY},
	    {"gzip, zstd", ENCODING_SEVERAL, 0},
	    {"gzip,identity,gzip", ENCODING_SEVERAL, 0},
	    {"deflate", ENCODING_UNKNOWN, 0},
	    {"gzip, br", ENCODING_UNKNOWN, 0},
	    {"br, gzip", ENCODING_UNKNOWN, 0},
	    {"gzi", ENCODING_UNKNOWN, 0},
	    {"gzipp", ENCODING_UNKNOWN, 0},
	    {"gzip zstd", ENCODING_UNKNOWN, 0},
	    {"gzip;q=1", ENCODING_UNKNOWN, 0},
	    {"zst", ENCODING_UNKNOWN, 0},
	    {"*", ENCODING_UNKNOWN, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum content_encoding encoding = ENCODING_IDENTITY;

		assert_int_equal(content_encoding_add(cases[i].value, strlen(cases[i].value), &encoding), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(encoding, cases[i].encoding);
	}
}

static void
test_several_headers_count_as_one_list(void **state)
{
	enum content_encoding encoding = ENCODING_IDENTITY;

	assert_int_equal(content_encoding_add("identity", 8, &encoding), 0);
	assert_int_equal(content_encoding_add("gzip", 4, &encoding), 0);
	assert_int_equal(content_encoding_add("", 0, &encoding), 0);
	assert_int_equal(encoding, ENCODING_GZIP);
	assert_int_equal(content_encoding_add("zstd", 4, &encoding), ENCODING_SEVERAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_names_are_found_and_others_are_refused),
	    cmocka_unit_test(test_several_headers_count_as_one_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
