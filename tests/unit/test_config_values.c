/* The values of every option: which are accepted and how they are shown, which are refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "config/print.h"
#include "tests/unit/config_loading.h"

/* The line of config_print for an option, without its name. */
static void
shown(const struct config *config, const char *name, char *out, size_t size)
{
	char *text = NULL;
	size_t len = 0, name_len = strlen(name);
	FILE *memory = open_memstream(&text, &len);

	assert_non_null(memory);
	config_print(memory, config);
	assert_int_equal(fclose(memory), 0);
	out[0] = '\0';
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		if (strncmp(line, name, name_len) == 0 && line[name_len] == '=')
			(void)snprintf(out, size, "%s", line + name_len + 1);
	}
	free(text);
}

struct good_value {
	const char *name;
	const char *given;
	const char *shown;
};

static const struct good_value good_values[] = {
    {"DATABASE_URL", "postgres://u:secret@h/d", "postgresql://u:***@h/d"},
    {"DATABASE_URL", "postgresql+asyncpg://u:secret@h/d?password=secret", "postgresql://u:***@h/d?password=***"},
    {"DATABASE_URL", "host=h password='sec ret' user=u", "host=h password=*** user=u"},
    {"STORAGE_TYPE", "jsonl", "jsonl"},
    {"STORAGE_TYPE", "NULL", "null"},
    {"STORAGE_TYPE", "JSONL", "jsonl"},
    {"STORAGE_TYPE", "SQLite3", "sqlite"},
    {"STORAGE_TYPE", "auto", "jsonl"},
    {"STORAGE_TYPE", "", "jsonl"},
    {"JSONL_PATH", "x", "x"},
    {"JSONL_PATH", "/var/lib/ev ents/\xc3\xa9.jsonl", "/var/lib/ev ents/\xc3\xa9.jsonl"},
    {"SANDBOX", "off", "false"},
    {"RUN_AS", "www-data", "www-data"},
    {"RUN_AS", "10001:10001", "10001:10001"},
    {"LOG_LEVEL", "INFO", "info"},
    {"LOG_LEVEL", "Debug", "debug"},
    {"LOG_LEVEL", "WARNING", "warning"},
    {"LOG_LEVEL", "error", "error"},
    {"LOG_LEVEL", "WARN", "warning"},
    {"LOG_LEVEL", "Err", "error"},
    {"LOG_LEVEL", "CRITICAL", "error"},
    {"LOG_LEVEL", "fatal", "error"},
    {"LOG_LEVEL", "trace", "debug"},
    {"LOG_LEVEL", "notice", "info"},
    {"LOG_FORMAT", "JSON", "json"},
    {"HOST", "127.0.0.1", "127.0.0.1"},
    {"HOST", "::", "::"},
    {"CORS_ORIGINS", "*", "*"},
    {"CORS_ORIGINS", "https://a.example", "https://a.example"},
    {"CORS_ORIGINS", "http://localhost:3000 , chrome-extension://abc,http://[::1]:80",
	"http://localhost:3000 , chrome-extension://abc,http://[::1]:80"},
    {"ALLOWED_HOSTS", "localhost, 127.0.0.1,::1 , hooks.example", "localhost, 127.0.0.1,::1 , hooks.example"},
    {"HOST", "::1", "::1"},
    {"HOST", "fe80::1%eth0", "fe80::1%eth0"},
    {"HOST", "localhost", "localhost"},
    {"HOST", "hooks-0.my_svc.example.org", "hooks-0.my_svc.example.org"},
    {"PORT", "0", "0"},
    {"PORT", "65535", "65535"},
    {"PORT", "0080", "80"},
    {"PORT", "", "8080"},
    {"ACCEPTORS", "1", "1"},
    {"ACCEPTORS", "64", "64"},
    {"WRITERS", "3", "3"},
    {"ACK", "Queued", "queued"},
    {"DATA_DIR", "/var/lib/hooksd/", "/var/lib/hooksd/"},
    {"RING_PATH", "/x/PORT.ring", "/x/PORT.ring"},
    {"RING_BYTES", "64G", "68719476736"},
    {"RING_BYTES", "2048MiB", "2147483648"},
    {"MAX_BODY_BYTES", "1024", "1024"},
    {"MAX_BODY_BYTES", "4k", "4096"},
    {"MAX_BODY_BYTES", "4KiB", "4096"},
    {"MAX_BODY_BYTES", "3m", "3145728"},
    {"MAX_BODY_BYTES", "3mib", "3145728"},
    {"MAX_BODY_BYTES", "1G", "1073741824"},
    {"MAX_BODY_BYTES", "4Ki", "4096"},
    {"MAX_BODY_BYTES", "3MB", "3145728"},
    {"MAX_BODY_BYTES", "3mb", "3145728"},
    {"RING_BYTES", "256Mi", "268435456"},
    {"RING_BYTES", "256MB", "268435456"},
    {"SPOOL_MAX_BYTES", "2Ti", "2199023255552"},
    {"MAX_EVENT_BYTES", "8MiB", "8388608"},
    {"MAX_BATCH_EVENTS", "1000000", "1000000"},
    {"DRAIN_TIMEOUT_SECONDS", "1", "1"},
    {"DRAIN_TIMEOUT_SECONDS", "30", "30"},
    {"DRAIN_TIMEOUT_SECONDS", "30s", "30"},
    {"DRAIN_TIMEOUT_SECONDS", "30000ms", "30"},
    {"DRAIN_TIMEOUT_SECONDS", "2m", "120"},
    {"DRAIN_TIMEOUT_SECONDS", "1H", "3600"},
    {"DRAIN_TIMEOUT_SECONDS", "", "25"},
    {"IDLE_TIMEOUT_SECONDS", "24h", "86400"},
    {"STUCK_AFTER_SECONDS", "0", "0"},
    {"STUCK_AFTER_SECONDS", "0ms", "0"},
    {"STUCK_AFTER_SECONDS", "off", "0"},
    {"HL_RETENTION_SECS", "Off", "0"},
    {"HL_RETENTION_SECS", "36h", "129600"},
    {"HL_ATTEMPT_RETENTION_SECS", "604800", "604800"},
    {"STORE_TIMEOUT_MS", "30000", "30000"},
    {"STORE_TIMEOUT_MS", "30s", "30000"},
    {"STORE_TIMEOUT_MS", "250ms", "250"},
    {"STORE_TIMEOUT_MS", "1h", "3600000"},
    {"STORE_TIMEOUT_MS", "", "10000"},
    {"SPOOL_AFTER_MS", "0", "0"},
    {"SPOOL_AFTER_MS", "0s", "0"},
    {"JSONL_ROTATE_BYTES", "0", "0"},
    {"JSONL_ROTATE_BYTES", "4096", "4096"},
    {"JSONL_ROTATE_BYTES", "0G", "0"},
    {"PARTITIONS_AHEAD", "0", "0"},
    {"PARTITIONS_AHEAD", "24", "24"},
    {"AUTO_MIGRATE", "false", "false"},
    {"AUTO_MIGRATE", "NO", "false"},
    {"AUTO_MIGRATE", "0", "false"},
    {"AUTO_MIGRATE", "True", "true"},
    {"AUTO_MIGRATE", "yes", "true"},
    {"AUTO_MIGRATE", "1", "true"},
    {"AUTO_MIGRATE", "on", "true"},
    {"AUTO_MIGRATE", "OFF", "false"},
};

static void
test_good_values_are_accepted_and_shown(void **state)
{
	for (size_t i = 0; i < sizeof good_values / sizeof good_values[0]; i++) {
		const struct good_value *good = &good_values[i];
		const struct option *option = option_find(good->name, strlen(good->name));
		char flag[OPTION_FLAG_MAX], joined[512], text[512];
		struct config config;

		assert_non_null(option);
		option_flag(option, flag);
		(void)snprintf(joined, sizeof joined, "%s=%s", flag, good->given);
		const struct load ways[] = {
		    {.environment = {{good->name, good->given}}},
		    {.arguments = {joined}},
		    {.arguments = {flag, good->given}},
		};
		for (size_t way = 0; way < 3; way++) {
			if (option->type == TYPE_BOOL && good->given[0] == '\0')
				continue;
			must_load(&ways[way], &config);
			shown(&config, good->name, text, sizeof text);
			assert_string_equal(text, good->shown);
			config_free(&config);
		}
	}
}

struct bad_value {
	const char *name;
	const char *given;
	const char *rule; /* the allowed values, as the message words them */
};

#define RULE_PORT "must be a whole number from 0 to 65535 (flag --port or environment PORT)"
#define RULE_ORIGINS "must be * or origins like https://app.example, separated by commas"
#define RULE_HOST "must be an IPv4 or IPv6 address (without brackets) or a host name"
#define RULE_HOSTS "must be names and addresses, without ports, separated by commas"
#define RULE_BODY "must be a size from 1KiB to 1GiB, in bytes or like 512K, 64MiB, 1G"
#define RULE_ROTATE "must be 0 or a size from 4KiB to 1024GiB"
#define RULE_DRAIN "must be a duration from 1s to 1h of whole seconds, in seconds or like 30s, 2m, 1h"
#define RULE_STORE "must be a duration from 100ms to 1h, in milliseconds or like 250ms, 10s, 2m"
#define RULE_DATABASE "must be postgresql://user:password@host:port/name or \"host=... dbname=...\""

static const struct bad_value bad_values[] = {
    {"DATABASE_URL", "mysql://u:secret@h/d", RULE_DATABASE},
    {"DATABASE_URL", "secret", RULE_DATABASE},
    {"DATABASE_URL", "host=h\npassword=secret", RULE_DATABASE},
    {"STORAGE_TYPE", "mysql",
	"must be one of auto, postgres, jsonl, sqlite, null (flag --storage-type or environment STORAGE_TYPE)"},
    {"STORAGE_TYPE", "jsonl ", "must be one of"},
    {"JSONL_PATH", "dir/", "must be the path of a file"},
    {"JSONL_PATH", "a\nb", "must be the path of a file"},
    {"RUN_AS", "user:", "must be a user or user:group, by names or numbers"},
    {"RUN_AS", "-u", "must be a user or user:group"},
    {"RUN_AS", "a b", "must be a user or user:group"},
    {"LOG_LEVEL", "verbose", "must be one of debug, info, warning, error"},
    {"LOG_FORMAT", "xml", "must be one of text, json"},
    {"HOST", "10.0.0.300", RULE_HOST},
    {"CORS_ORIGINS", "https://a.example/", RULE_ORIGINS},
    {"CORS_ORIGINS", "https://a.example https://b.example", RULE_ORIGINS},
    {"CORS_ORIGINS", "https://a.example,,https://b.example", RULE_ORIGINS},
    {"CORS_ORIGINS", ",", RULE_ORIGINS},
    {"CORS_ORIGINS", "://a", RULE_ORIGINS},
    {"ALLOWED_HOSTS", "localhost:8080", RULE_HOSTS},
    {"ALLOWED_HOSTS", "[::1]", RULE_HOSTS},
    {"ALLOWED_HOSTS", "a.example,", RULE_HOSTS},
    {"ALLOWED_HOSTS", "*", RULE_HOSTS},
    {"HOST", "1.2.3", RULE_HOST},
    {"HOST", "[::]", RULE_HOST},
    {"HOST", "::g", RULE_HOST},
    {"HOST", "fe80::1%", RULE_HOST},
    {"HOST", "a b", RULE_HOST},
    {"HOST", "-x", RULE_HOST},
    {"HOST", ".", RULE_HOST},
    {"HOST", "a..b", RULE_HOST},
    {"HOST", "host:8080", RULE_HOST},
    {"HOST", "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222:3333", RULE_HOST},
    {"PORT", "65536", RULE_PORT},
    {"PORT", "70000", RULE_PORT},
    {"PORT", "-1", RULE_PORT},
    {"PORT", "+1", RULE_PORT},
    {"PORT", " 1", RULE_PORT},
    {"PORT", "1 ", RULE_PORT},
    {"PORT", "0x50", RULE_PORT},
    {"PORT", "80a", RULE_PORT},
    {"PORT", "1K", RULE_PORT},
    {"PORT", "18446744073709551616", RULE_PORT},
    {"PORT", "18446744073709559696", RULE_PORT},
    {"ACCEPTORS", "0", "must be a whole number from 1 to 64"},
    {"ACCEPTORS", "65", "must be a whole number from 1 to 64"},
    {"WRITERS", "33", "must be a whole number from 1 to 32"},
    {"ACK", "memory", "must be one of durable, queued"},
    {"RING_BYTES", "1023K", "must be a size from 1MiB to 64GiB"},
    {"RING_BYTES", "65G", "must be a size from 1MiB to 64GiB"},
    {"MAX_BODY_BYTES", "1023", RULE_BODY},
    {"MAX_BODY_BYTES", "2G", RULE_BODY},
    {"MAX_BODY_BYTES", "4KBi", RULE_BODY},
    {"MAX_BODY_BYTES", "4Kib ", RULE_BODY},
    {"MAX_BODY_BYTES", "4KK", RULE_BODY},
    {"MAX_BODY_BYTES", "4096B", RULE_BODY},
    {"MAX_BODY_BYTES", "4T", RULE_BODY},
    {"MAX_BODY_BYTES", "4 M", RULE_BODY},
    {"MAX_BODY_BYTES", "M", RULE_BODY},
    {"MAX_BODY_BYTES", "1.5M", RULE_BODY},
    {"MAX_BODY_BYTES", "17179869185G", RULE_BODY},
    {"MAX_BODY_BYTES", "-1", RULE_BODY},
    {"MAX_EVENT_BYTES", "1", RULE_BODY},
    {"PARTITIONS_AHEAD", "25", "must be a whole number from 0 to 24"},
    {"MAX_BATCH_EVENTS", "0", "must be a whole number from 1 to 1000000"},
    {"DRAIN_TIMEOUT_SECONDS", "0", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "3601s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "2h", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "250ms", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "1500ms", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "1.5s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "25 s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "25s ", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "1m30s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "1d", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "-1s", RULE_DRAIN},
    {"DRAIN_TIMEOUT_SECONDS", "5124095576030432h", RULE_DRAIN},
    {"IDLE_TIMEOUT_SECONDS", "25h", "must be a duration from 1s to 24h of whole seconds"},
    {"STUCK_AFTER_SECONDS", "2h", "must be 0, off or a duration from 1s to 1h of whole seconds"},
    {"HL_RETENTION_SECS", "59", "must be 0, off or a duration from 1m to 87600h of whole seconds"},
    {"DRAIN_TIMEOUT_SECONDS", "off", RULE_DRAIN},
    {"STORE_TIMEOUT_MS", "99", RULE_STORE},
    {"STORE_TIMEOUT_MS", "99ms", RULE_STORE},
    {"STORE_TIMEOUT_MS", "500us", RULE_STORE},
    {"STORE_TIMEOUT_MS", "61m", RULE_STORE},
    {"SPOOL_AFTER_MS", "2h", "must be a duration from 0 to 1h, in milliseconds or like 250ms, 10s, 2m"},
    {"JSONL_ROTATE_BYTES", "1", RULE_ROTATE},
    {"JSONL_ROTATE_BYTES", "4095", RULE_ROTATE},
    {"JSONL_ROTATE_BYTES", "1025G", RULE_ROTATE},
    {"AUTO_MIGRATE", "2", "must be true or false"},
    {"AUTO_MIGRATE", "onn", "must be true or false"},
};

static void
test_bad_values_are_refused_with_the_rule(void **state)
{
	for (size_t i = 0; i < sizeof bad_values / sizeof bad_values[0]; i++) {
		const struct bad_value *bad = &bad_values[i];
		const struct option *option = option_find(bad->name, strlen(bad->name));
		char flag[OPTION_FLAG_MAX], joined[512], begin[256];
		struct config config;
		struct error err;

		assert_non_null(option);
		option_flag(option, flag);
		(void)snprintf(joined, sizeof joined, "%s=%s", flag, bad->given);
		(void)snprintf(begin, sizeof begin, "%s%s%s: %s", bad->name, option->secret ? "" : "=",
		    option->secret ? "" : bad->given, bad->rule);
		const struct load ways[] = {{.environment = {{bad->name, bad->given}}}, {.arguments = {joined}}};
		for (size_t way = 0; way < 2; way++) {
			if (load_from(&ways[way], &config, &err) >= 0)
				fail_msg("%s is accepted", joined);
			if (strncmp(err.text, begin, strlen(begin)) != 0)
				fail_msg("%s\n    instead of\n%s", err.text, begin);
			assert_non_null(strstr(err.text, flag));
			assert_null(strstr(err.text, "secret"));
		}
	}
}

/* The longest message ends as it should: struct error cuts nothing off. */
static void
test_a_long_value_is_cut_and_the_message_is_whole(void **state)
{
	char value[480];
	struct config config;
	struct error err;

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	assert_true(load_from(&(struct load){.environment = {{"MAX_EVENT_BYTES", value}}}, &config, &err) < 0);
	assert_non_null(strstr(err.text, "xxx...: must be a size"));
	assert_non_null(strstr(err.text, "or environment MAX_EVENT_BYTES)"));
	assert_true(load_from(&(struct load){.environment = {{"RING_BYTES", "1M"}},
				  .arguments = {"--acceptors=64", "--writers=32", "--max-body-bytes=1G"}},
			&config, &err) < 0);
	assert_non_null(strstr(err.text, "or environment RING_BYTES)"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_values_are_accepted_and_shown),
	    cmocka_unit_test(test_bad_values_are_refused_with_the_rule),
	    cmocka_unit_test(test_a_long_value_is_cut_and_the_message_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
