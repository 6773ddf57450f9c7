/* Base64: the vectors of RFC 4648 section 10, and texts that are not base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/base64.h"

static void
test_the_vectors_of_the_rfc(void **state)
{
	static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[BASE64_TEXT_BYTES(6)], bytes[6];
	size_t len;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(base64_encode("foobar", i, BASE64_STANDARD, text), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
		assert_true(
		    base64_decode((struct span){text, strlen(text)}, BASE64_STANDARD, bytes, sizeof bytes, &len));
		assert_int_equal(len, i);
		assert_memory_equal(bytes, "foobar", i);
	}
}

static void
test_every_run_of_bytes_comes_back_in_both_alphabets(void **state)
{
	uint8_t bytes[256], back[256];
	char text[BASE64_TEXT_BYTES(256)];
	size_t len;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 151 + 7);
	for (size_t n = 0; n <= sizeof bytes; n++)
		for (int alphabet = 0; alphabet < 2; alphabet++) {
			size_t chars = base64_encode(bytes, n, alphabet, text);

			assert_true(base64_decode((struct span){text, chars}, alphabet, back, n, &len));
			assert_int_equal(len, n);
			assert_memory_equal(back, bytes, n);
			if (alphabet == BASE64_URL)
				assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
							      "0123456789-_"),
				    chars);
		}
}

static void
test_other_text_is_refused(void **state)
{
	static const char *const wrong[] = {
	    "Z", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Zm9v\n", "Zm 9v", "Z===", "Zm-_"};
	char bytes[16];
	size_t len;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (base64_decode(
			(struct span){wrong[i], strlen(wrong[i])}, BASE64_STANDARD, bytes, sizeof bytes, &len))
			fail_msg("%s is accepted", wrong[i]);
	assert_false(base64_decode((struct span){"Zg==", 4}, BASE64_URL, bytes, sizeof bytes, &len));
	assert_false(base64_decode((struct span){"Zm9v", 4}, BASE64_STANDARD, bytes, 2, &len));
	assert_true(base64_decode((struct span){"Zg", 2}, BASE64_STANDARD, bytes, 1, &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_vectors_of_the_rfc),
	    cmocka_unit_test(test_every_run_of_bytes_comes_back_in_both_alphabets),
	    cmocka_unit_test(test_other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
