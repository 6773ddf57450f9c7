/* Secrets of endpoints as they stand in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/secrets.h"

static char key_one[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static char key_two[] = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
static char both_keys[] = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,"
			  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static const struct secret_place place = {{"acme", 4}, {"0190a5b0-0000-7000-8000-000000000001", 36}, SECRET_SIGNING};

static struct secrets
keys(char *present, char *old)
{
	struct config config = {.hl_master_key = present, .hl_master_key_old = old};
	struct secrets secrets;

	secrets_open(&secrets, &config);
	return secrets;
}

static struct bytes
sealed(const struct secrets *secrets, const char *plain)
{
	struct bytes out = {0};

	secret_seal(secrets, &place, (struct span){plain, strlen(plain)}, &out);
	return out;
}

static void
reads(const struct secrets *secrets, const struct bytes *stored, const char *plain)
{
	struct bytes out = {0};
	struct error err;

	assert_int_equal(0, secret_read(secrets, &place, (struct span){stored->base, stored->len}, &out, &err));
	assert_int_equal(strlen(plain), out.len);
	if (out.len > 0)
		assert_memory_equal(plain, out.base, out.len);
	secret_wipe(&out);
}

static void
refuses(const struct secrets *secrets, const struct secret_place *at, const struct bytes *stored, const char *why)
{
	struct bytes out = {0};
	struct error err;

	assert_true(secret_read(secrets, at, (struct span){stored->base, stored->len}, &out, &err) < 0);
	assert_non_null(strstr(err.text, why));
	assert_int_equal(0, out.len);
	secret_wipe(&out);
}

static void
test_without_a_master_key_secrets_are_stored_as_they_are(void **state)
{
	struct secrets none = keys(NULL, NULL);
	const char *const plain[] = {"", "whsec_abc", "enc:v1:x", "plain:", "enc:v1"};
	const char *const stored[] = {"", "whsec_abc", "plain:enc:v1:x", "plain:plain:", "enc:v1"};

	for (size_t i = 0; i < 5; i++) {
		struct bytes out = sealed(&none, plain[i]);

		assert_int_equal(strlen(stored[i]), out.len);
		if (out.len > 0)
			assert_memory_equal(stored[i], out.base, out.len);
		reads(&none, &out, plain[i]);
		assert_true(secret_is_current(&none, (struct span){out.base, out.len}));
		secret_wipe(&out);
	}
}

static void
test_a_master_key_encrypts_each_secret_differently(void **state)
{
	struct secrets one = keys(key_one, NULL), two = keys(key_two, NULL), later = keys(key_two, key_one);
	struct bytes a = sealed(&one, "whsec_abc"), b = sealed(&one, "whsec_abc"), empty = sealed(&one, "");

	assert_memory_equal("enc:v1:", a.base, 7);
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.base, b.base, a.len);
	assert_null(memmem(a.base, a.len, "whsec", 5));
	reads(&one, &a, "whsec_abc");
	reads(&one, &empty, "");
	reads(&later, &a, "whsec_abc");
	refuses(&two, &place, &a, "neither in HL_MASTER_KEY nor in HL_MASTER_KEY_OLD");
	assert_true(secret_is_current(&one, (struct span){a.base, a.len}));
	assert_false(secret_is_current(&later, (struct span){a.base, a.len}));
	assert_false(secret_is_current(&later, (struct span){"whsec_abc", 9}));
	secrets_close(&one);
	refuses(&one, &place, &a, "neither");
	secret_wipe(&a);
	secret_wipe(&b);
	secret_wipe(&empty);
}

static void
test_every_old_key_is_tried(void **state)
{
	struct secrets one = keys(key_one, NULL), later = keys(NULL, both_keys);
	struct bytes stored = sealed(&one, "s");

	assert_false(later.encrypts);
	reads(&later, &stored, "s");
	assert_false(secret_is_current(&later, (struct span){stored.base, stored.len}));
	secret_wipe(&stored);
}

static void
test_a_secret_from_a_copied_or_changed_row_is_not_read(void **state)
{
	struct secrets one = keys(key_one, NULL);
	struct bytes stored = sealed(&one, "whsec_abcde");
	struct secret_place elsewhere = place;

	elsewhere.tenant_id = (struct span){"evil", 4};
	refuses(&one, &elsewhere, &stored, "another endpoint");
	elsewhere = place;
	elsewhere.endpoint_id.base = "0190a5b0-0000-7000-8000-000000000002";
	refuses(&one, &elsewhere, &stored, "another endpoint");
	elsewhere = place;
	elsewhere.kind = SECRET_HEADERS;
	refuses(&one, &elsewhere, &stored, "another endpoint");

	/* A change of any byte after the prefix is noticed, and so is every shorter length. There is no padding. */
	assert_int_not_equal('=', stored.base[stored.len - 1]);
	for (size_t i = strlen("enc:v1:"); i < stored.len; i++) {
		stored.base[i] ^= 1;
		refuses(&one, &place, &stored, "a stored secret");
		stored.base[i] ^= 1;
	}
	for (size_t len = stored.len - 1; len >= strlen("enc:v1:"); len--) {
		stored.len = len;
		refuses(&one, &place, &stored, "a stored secret");
	}
	secret_wipe(&stored);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_a_master_key_secrets_are_stored_as_they_are),
	    cmocka_unit_test(test_a_master_key_encrypts_each_secret_differently),
	    cmocka_unit_test(test_every_old_key_is_tried),
	    cmocka_unit_test(test_a_secret_from_a_copied_or_changed_row_is_not_read),
	};

	return cmocka_run_group_tests_name("endpoint_secrets", tests, NULL, NULL);
}
