/* The options of webhooks: which store they choose, and which combinations are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config/master_keys.h"
#include "tests/unit/config_loading.h"

#define KEY "--hl-api-key=key-of-8-or-more"
#define DATABASE "--hl-postgres-url=postgresql://h/e"
#define URL "--database-url=postgresql://h/d"
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void
must_choose(enum hl_store store, const char *first, const char *second, const char *third)
{
	struct config config;

	must_load(&(struct load){.arguments = {first, second, third}}, &config);
	assert_int_equal(config.hl_store, store);
	config_free(&config);
}

static void
test_the_api_is_off_without_a_key(void **state)
{
	must_choose(HL_STORE_OFF, URL, NULL, NULL);
	must_choose(HL_STORE_OFF, "--hl-store-backend=postgres", NULL, NULL);
	must_choose(HL_STORE_OFF, KEY, "--hl-store-backend=off", NULL);
}

static void
test_a_key_is_generated_for_the_embedded_store_alone(void **state)
{
	static const char make[] = "--hl-make-api-key", nowhere[] = "--data-dir=/nowhere";
	struct config config;

	must_choose(HL_STORE_EMBEDDED, make, nowhere, NULL);
	must_choose(HL_STORE_EMBEDDED, make, nowhere, "--hl-store-backend=embedded");
	must_choose(HL_STORE_OFF, make, nowhere, URL);
	must_choose(HL_STORE_OFF, make, nowhere, DATABASE);
	must_choose(HL_STORE_OFF, make, nowhere, "--hl-store-backend=postgres");
	must_choose(HL_STORE_OFF, make, nowhere, "--hl-store-backend=off");

	must_load(&(struct load){.arguments = {make, nowhere}}, &config);
	assert_true(config.hl_make_api_key);
	assert_int_equal(strlen(config.hl_api_key), 50);
	config_free(&config);
	must_load(&(struct load){.arguments = {make, nowhere, KEY}}, &config);
	assert_false(config.hl_make_api_key);
	assert_string_equal(config.hl_api_key, "key-of-8-or-more");
	config_free(&config);
}

static void
test_the_store_is_postgres_with_a_url_and_embedded_without_one(void **state)
{
	must_choose(HL_STORE_EMBEDDED, KEY, NULL, NULL);
	must_choose(HL_STORE_POSTGRES, KEY, URL, NULL);
	must_choose(HL_STORE_POSTGRES, KEY, "--hl-postgres-url=postgresql://h/e", NULL);
	must_choose(HL_STORE_POSTGRES, "--hl-admin-key=an-admin-key", URL, NULL);
	must_choose(HL_STORE_EMBEDDED, KEY, URL, "--hl-store-backend=embedded");
	must_choose(HL_STORE_EMBEDDED, KEY, URL, "--hl-store-backend=c");
}

static void
test_the_database_is_that_of_hook_events_unless_another_is_given(void **state)
{
	struct config config;

	must_load(&(struct load){.arguments = {KEY, URL}}, &config);
	assert_string_equal(config.hl_postgres_url, "postgresql://h/d");
	config_free(&config);
	must_load(&(struct load){.arguments = {KEY, URL, "--hl-postgres-url=postgresql://h/e"}}, &config);
	assert_string_equal(config.hl_postgres_url, "postgresql://h/e");
	config_free(&config);
}

static void
test_the_file_is_in_the_data_directory(void **state)
{
	struct config config;

	must_load(&(struct load){.arguments = {KEY, "--data-dir=/d"}}, &config);
	assert_string_equal(config.hl_data_path, "/d/hookline.db");
	config_free(&config);
	must_load(&(struct load){.arguments = {KEY, "--data-dir=/d", "--hl-data-dir=/h"}}, &config);
	assert_string_equal(config.hl_data_path, "/h/hookline.db");
	config_free(&config);
	must_load(&(struct load){.arguments = {KEY, "--hl-data-path=/x.db", "--hl-data-dir=/h"}}, &config);
	assert_string_equal(config.hl_data_path, "/x.db");
	config_free(&config);
}

static void
test_the_names_of_the_original_are_second_names(void **state)
{
	struct config config;

	must_load(&(struct load){.environment = {{"HL_PORT", "81"}, {"HL_LISTEN_ADDR", "127.0.0.2"}}}, &config);
	assert_int_equal(config.port, 81);
	assert_string_equal(config.host, "127.0.0.2");
	config_free(&config);
	must_load(&(struct load){.environment = {{"HL_PORT", "81"}, {"PORT", "82"}}}, &config);
	assert_int_equal(config.port, 82);
	config_free(&config);
}

static void
must_refuse(const char *first, const char *second, const char *third, const char *sentence)
{
	struct config config;
	struct error err;

	assert_true(load_from(&(struct load){.arguments = {first, second, third}}, &config, &err) < 0);
	if (strstr(err.text, sentence) == NULL)
		fail_msg("\"%s\" is not in: %s", sentence, err.text);
}

static void
test_options_that_contradict_each_other_are_refused(void **state)
{
	must_refuse(KEY, "--hl-store-backend=postgres", NULL, "HL_POSTGRES_URL: not set, nor DATABASE_URL");
	must_refuse("--require-api-key", NULL, NULL, "REQUIRE_API_KEY=true: no key is known");
	must_refuse(
	    "--metrics-require-key", KEY, "--hl-store-backend=off", "METRICS_REQUIRE_KEY=true: no key is known");
	must_refuse("--hl-admin-key=key-of-8-or-more", KEY, NULL, "HL_ADMIN_KEY: must not be the same as HL_API_KEY");
	must_refuse("--hl-api-key=short", NULL, NULL, "HL_API_KEY: must be 8 to 255 visible ASCII characters");
	must_refuse("--hl-api-key=with a blank", NULL, NULL, "HL_API_KEY: must be");
	must_refuse(
	    "--hl-console-pass=with a blank", NULL, NULL, "HL_CONSOLE_PASS: must be 1 to 255 visible ASCII characters");
	must_refuse("--hl-tenant-id=a/b", NULL, NULL, "HL_TENANT_ID=a/b: must be 1 to 64 of A-Z a-z 0-9 _ . -");
	must_refuse("--hl-master-key=" HEX "00", NULL, NULL, "HL_MASTER_KEY: must be 32 bytes in base64 or hex");
	must_refuse("--hl-master-key=" HEX "," HEX, NULL, NULL, "HL_MASTER_KEY: must be 32 bytes");
	must_refuse("--hl-master-key-old=" HEX ",", NULL, NULL, "HL_MASTER_KEY_OLD: must be keys of 32 bytes");
	must_refuse("--hl-allow-networks=10.0.0.0/33", NULL, NULL, "HL_ALLOW_NETWORKS=10.0.0.0/33: must be loopback");
	must_refuse("--hl-public-url=hooks.example", NULL, NULL, "HL_PUBLIC_URL=hooks.example: must be an origin");
	must_refuse("--hl-public-url=https://hooks.example/", NULL, NULL, "must be an origin");
}

static void
test_the_node_timeout_leaves_time_for_a_heartbeat_while_a_statement_waits(void **state)
{
	struct config config;

	must_load(&(struct load){.arguments = {KEY}}, &config);
	assert_int_equal(config.hl_node_timeout_secs, 30);
	config_free(&config);
	must_load(&(struct load){.arguments = {KEY, "--store-timeout-ms=1h"}}, &config);
	assert_int_equal(config.hl_node_timeout_secs, 3 * 3600);
	config_free(&config);
	must_load(&(struct load){.arguments = {KEY, DATABASE, "--hl-node-timeout-secs=30"}}, &config);
	assert_int_equal(config.hl_node_timeout_secs, 30);
	config_free(&config);
	must_refuse(KEY, DATABASE, "--hl-node-timeout-secs=29",
	    "HL_NODE_TIMEOUT_SECS=29: must be at least three times STORE_TIMEOUT_MS, which is 10000");
}

static void
test_a_master_key_is_the_same_in_hex_and_in_base64(void **state)
{
	uint8_t keys[MASTER_KEYS_MAX][MASTER_KEY_BYTES];

	assert_int_equal(master_keys_read(HEX "," BASE64, keys), 2);
	for (uint8_t i = 0; i < MASTER_KEY_BYTES; i++)
		assert_int_equal(keys[0][i], i);
	assert_memory_equal(keys[0], keys[1], MASTER_KEY_BYTES);
	assert_int_equal(master_keys_read("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", keys), 1);
	assert_int_equal(master_keys_read("", keys), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_api_is_off_without_a_key),
	    cmocka_unit_test(test_a_key_is_generated_for_the_embedded_store_alone),
	    cmocka_unit_test(test_the_store_is_postgres_with_a_url_and_embedded_without_one),
	    cmocka_unit_test(test_the_database_is_that_of_hook_events_unless_another_is_given),
	    cmocka_unit_test(test_the_file_is_in_the_data_directory),
	    cmocka_unit_test(test_the_names_of_the_original_are_second_names),
	    cmocka_unit_test(test_options_that_contradict_each_other_are_refused),
	    cmocka_unit_test(test_the_node_timeout_leaves_time_for_a_heartbeat_while_a_statement_waits),
	    cmocka_unit_test(test_a_master_key_is_the_same_in_hex_and_in_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
