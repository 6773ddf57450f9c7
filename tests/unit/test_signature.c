/* Signatures against values of Python's hmac, and HMAC-SHA256 against RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "courier/signature.h"

#define NEW_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OLD_SECRET "an old secret, without prefix"
#define NEW_HEX "2632909c1f9b15435fa51ca70986ede206afa8310d0108d821aadeff128ebed4"
#define OLD_HEX "baed95e39127b41b40fffa000a044c77ff4a8aab26d109d3a5853a1969d490c5"
#define NEW_BASE64 "wvGV0wKu6mUyUhTAEJOASb8fW33nA3sTi+n11msdh70="
#define OLD_BASE64 "Z4DpllDcBfPuwafOXM9NQuLvGMICj3G00H18Sw3SUBY="
#define OWN(prefix, hex) prefix "timestamp: 1700000000123\r\n" prefix "signature: v1=" hex "\r\n"
#define STANDARD(signatures)                                                                                           \
	"webhook-id: 01020304-0506-0708-090a-0b0c0d0e0f10\r\nwebhook-timestamp: 1700000000\r\n"                        \
	"webhook-signature: " signatures "\r\n"

static const uint8_t job_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct span
span(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void
assert_headers(const char *secret, const char *old_secret, bool legacy, const char *expected)
{
	struct signature_spec spec = {.secret = span(secret),
	    .old_secret = span(old_secret),
	    .legacy = legacy,
	    .job_id = job_id,
	    .now_us = 1700000000123456,
	    .body = span("{\"a\":\"\xf0\x9f\x98\x80\"}\n")};
	struct bytes out = {0};

	signature_add(&out, &spec);
	bytes_add(&out, "", 1);
	assert_string_equal(out.base, expected);
	bytes_free(&out);
}

static void
test_both_kinds_of_signatures_are_sent(void **state)
{
	assert_headers(
	    NEW_SECRET, "", false, OWN("x-hl-", NEW_HEX) OWN("x-hookline-", NEW_HEX) STANDARD("v1," NEW_BASE64));
	assert_headers(
	    OLD_SECRET, "", false, OWN("x-hl-", OLD_HEX) OWN("x-hookline-", OLD_HEX) STANDARD("v1," OLD_BASE64));
}

static void
test_an_overlap_signs_with_both_secrets_in_one_header_and_the_old_one_in_the_other(void **state)
{
	assert_headers(NEW_SECRET, OLD_SECRET, false,
	    OWN("x-hl-", OLD_HEX) OWN("x-hookline-", OLD_HEX) STANDARD("v1," NEW_BASE64 " v1," OLD_BASE64));
}

static void
test_legacy_headers_have_the_same_values(void **state)
{
	assert_headers(NEW_SECRET, "", true,
	    OWN("x-hl-", NEW_HEX) OWN("x-hookline-", NEW_HEX) OWN("x-gp-", NEW_HEX) STANDARD("v1," NEW_BASE64));
}

static void
assert_hmac(const char *key, const char *first, const char *second, const char *expected)
{
	uint8_t digest[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	crypto_hmac_sha256(span(key), span(first), span(second), digest);
	for (int i = 0; i < SHA256_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, expected);
}

/* RFC 4231, test cases 1, 2 and 6: a short key, a shorter one, and one that is longer than a block. */
static void
test_hmac_sha256_has_the_values_of_the_rfc(void **state)
{
	char ones[21], longer[132];

	memset(ones, 0x0b, 20);
	ones[20] = '\0';
	memset(longer, 0xaa, 131);
	longer[131] = '\0';
	assert_hmac(ones, "Hi There", "", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_hmac("Jefe", "what do ya ", "want for nothing?",
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_hmac(longer, "Test Using Larger Than Block-Size Key - ", "Hash Key First",
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_hmac("", "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_kinds_of_signatures_are_sent),
	    cmocka_unit_test(test_an_overlap_signs_with_both_secrets_in_one_header_and_the_old_one_in_the_other),
	    cmocka_unit_test(test_legacy_headers_have_the_same_values),
	    cmocka_unit_test(test_hmac_sha256_has_the_values_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
