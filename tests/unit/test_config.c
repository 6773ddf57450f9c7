/* Configuration: where values come from, which flags there are, and the rules between options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/cpu.h"
#include "tests/unit/config_loading.h"

static void
test_defaults_hold_without_arguments_and_environment(void **state)
{
	struct config config;
	uint32_t cpus = cpu_allowed();

	must_load(&(struct load){0}, &config);
	assert_null(config.database_url);
	assert_int_equal(config.storage, STORAGE_JSONL);
	assert_string_equal(config.jsonl_path, ".agentic/analytics/events.jsonl");
	assert_int_equal(config.log_level, LOG_INFO);
	assert_int_equal(config.log_format, LOG_TEXT);
	assert_string_equal(config.host, "0.0.0.0");
	assert_int_equal(config.port, 8080);
	assert_int_equal(config.acceptors, cpus < ACCEPTORS_MAX ? cpus : ACCEPTORS_MAX);
	assert_int_equal(config.writers, 1);
	assert_int_equal(config.ack, ACK_DURABLE);
	assert_string_equal(config.data_dir, ".agentic/hooksd");
	assert_string_equal(config.ring_path, "/dev/shm/hooksd-8080.ring");
	assert_true(config.ring_bytes >= 64u << 20);
	assert_int_equal(config.max_body_bytes, 8 << 20);
	assert_int_equal(config.max_event_bytes, 4 << 20);
	assert_int_equal(config.max_batch_events, 10000);
	assert_int_equal(config.drain_timeout_seconds, 25);
	assert_int_equal(config.stuck_after_seconds, 60);
	assert_int_equal(config.jsonl_rotate_bytes, 0);
	assert_true(config.auto_migrate);
	assert_int_equal(config.partitions_ahead, 3);
	config_free(&config);
}

static void
test_the_last_flag_wins_then_the_environment_then_the_default(void **state)
{
	static const struct {
		struct load load;
		uint16_t port;
	} cases[] = {
	    {{.environment = {{"PORT", "1"}}}, 1},
	    {{.environment = {{"PORT", "1"}}, .arguments = {"--port=2"}}, 2},
	    {{.environment = {{"PORT", "1"}}, .arguments = {"--port", "2", "--port=3"}}, 3},
	    {{.environment = {{"PORT", "1"}}, .arguments = {"--port="}}, 8080},
	    {{.environment = {{"PORT", "nonsense"}}, .arguments = {"--port=4"}}, 4},
	    {{.arguments = {"--PORT=5"}}, 5},
	    {{.environment = {{"port", "1"}}}, 8080},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;

		must_load(&cases[i].load, &config);
		assert_int_equal(config.port, cases[i].port);
		config_free(&config);
	}
}

static void
test_a_flag_without_a_value_is_true_for_booleans_alone(void **state)
{
	static const struct {
		struct load load;
		bool migrate;
	} cases[] = {
	    {{.environment = {{"AUTO_MIGRATE", "false"}}}, false},
	    {{.environment = {{"AUTO_MIGRATE", "false"}}, .arguments = {"--auto-migrate"}}, true},
	    {{.environment = {{"AUTO_MIGRATE", "false"}}, .arguments = {"--auto-migrate", "--port=1"}}, true},
	    {{.arguments = {"--auto-migrate", "no", "--port=1"}}, false},
	    {{.arguments = {"--auto_migrate=0"}}, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;

		must_load(&cases[i].load, &config);
		assert_int_equal(config.auto_migrate, cases[i].migrate);
		config_free(&config);
	}
}

static void
test_help_version_and_print_flags_are_requests(void **state)
{
	static const struct {
		struct load load;
		int request;
	} cases[] = {
	    {{.arguments = {"--help"}}, CONFIG_HELP},
	    {{.arguments = {"-h"}}, CONFIG_HELP},
	    {{.arguments = {"--help=all"}}, CONFIG_HELP},
	    {{.arguments = {"--help=Storage"}}, CONFIG_HELP},
	    {{.arguments = {"--version"}}, CONFIG_VERSION},
	    {{.arguments = {"-V"}}, CONFIG_VERSION},
	    {{.arguments = {"--check-config"}}, CONFIG_CHECK},
	    {{.arguments = {"--print-config", "--port=1"}}, CONFIG_PRINT},
	    {{.arguments = {"--check-config", "--help"}}, CONFIG_HELP},
	    {{.environment = {{"PORT", "nonsense"}}, .arguments = {"--help"}}, CONFIG_HELP},
	    {{.environment = {{"PORT", "nonsense"}}, .arguments = {"--check-config"}}, -1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		struct error err;
		int request = load_from(&cases[i].load, &config, &err);

		assert_int_equal(request, cases[i].request);
		if (request >= 0)
			config_free(&config);
	}
}

static void
test_flags_that_do_not_exist_are_refused(void **state)
{
	static const struct {
		const char *arguments[2];
		const char *sentence;
	} cases[] = {
	    {{"--prot=1"}, "--prot: no such flag; did you mean --port? (--help=all lists all)"},
	    {{"--writer", "2"}, "--writer: no such flag; did you mean --writers? (--help=all lists all)"},
	    {{"--max-body-size=1"},
		"--max-body-size: no such flag; did you mean --max-body-bytes? (--help=all lists all)"},
	    {{"--databse-url=secret"},
		"--databse-url: no such flag; did you mean --database-url? (--help=all lists all)"},
	    {{"--hlep"}, "--hlep: no such flag; did you mean --help? (--help=all lists all)"},
	    {{"--quux"}, "--quux: no such flag (--help=all lists all)"},
	    {{"-p"}, "-p: no such flag (--help=all lists all)"},
	    {{"-"}, "-: no such flag (--help=all lists all)"},
	    {{"--"}, "--: no such flag (--help=all lists all)"},
	    {{"--=1"}, "--: no such flag (--help=all lists all)"},
	    {{"--help=1"}, "--help=1: no such topic; the topics are all, storage, server, processes, spool, limits, "
			   "webhooks, logging"},
	    {{"--version=1"}, "--version: no such flag; did you mean --version? (--help=all lists all)"},
	    {{""}, ": not a flag; options are given like --port=8080 (--help=all lists all)"},
	    {{"8080"}, "8080: not a flag; options are given like --port=8080 (--help=all lists all)"},
	    {{"postgresql://u:secret@h/d"},
		"postgresql: not a flag; options are given like --port=8080 (--help=all lists all)"},
	    {{"--port=1", "host=h password=secret"},
		"host: not a flag; options are given like --port=8080 (--help=all lists all)"},
	    {{"--port"}, "--port: needs a value, as in --port=VALUE"},
	};
	char longest[300];
	struct config config;
	struct error err;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct load load = {.arguments = {cases[i].arguments[0], cases[i].arguments[1]}};

		assert_true(load_from(&load, &config, &err) < 0);
		assert_string_equal(err.text, cases[i].sentence);
	}

	memset(longest, '-', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_true(load_from(&(struct load){.arguments = {longest}}, &config, &err) < 0);
	assert_non_null(strstr(err.text, "--...: no such flag (--help=all lists all)"));
}

static void
test_the_storage_follows_from_its_type_and_the_database_url(void **state)
{
	static const char url[] = "postgresql://h/d";
	static const struct {
		struct load load;
		enum storage storage;
		uint32_t writers;
	} cases[] = {
	    {{.environment = {{"DATABASE_URL", url}}}, STORAGE_POSTGRES, 2},
	    {{.environment = {{"DATABASE_URL", ""}}}, STORAGE_JSONL, 1},
	    {{.environment = {{"DATABASE_URL", url}}, .arguments = {"--database-url="}}, STORAGE_JSONL, 1},
	    {{.environment = {{"DATABASE_URL", url}, {"STORAGE_TYPE", "jsonl"}}}, STORAGE_JSONL, 1},
	    {{.environment = {{"DATABASE_URL", url}, {"STORAGE_TYPE", "postgres"}}}, STORAGE_POSTGRES, 2},
	    {{.environment = {{"DATABASE_URL", url}, {"WRITERS", "5"}}}, STORAGE_POSTGRES, 5},
	    {{.environment = {{"STORAGE_TYPE", "null"}}}, STORAGE_NULL, 1},
	};
	struct config config;
	struct error err;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		must_load(&cases[i].load, &config);
		assert_int_equal(config.storage, cases[i].storage);
		assert_int_equal(config.writers, cases[i].writers);
		config_free(&config);
	}
	assert_true(load_from(&(struct load){.environment = {{"STORAGE_TYPE", "Postgres"}}}, &config, &err) < 0);
	assert_string_equal(err.text,
	    "DATABASE_URL: not set, and STORAGE_TYPE=postgres needs it: set it to "
	    "postgresql://user:password@host:5432/name (flag --database-url or environment DATABASE_URL)");
	assert_string_equal(storage_name(STORAGE_POSTGRES), "postgres");
	assert_string_equal(storage_name(STORAGE_JSONL), "jsonl");
	uint32_t storages = 0;

	for (; storage_names[storages] != NULL; storages++)
		assert_ptr_equal(storage_name(storages), storage_names[storages]);
	assert_string_equal(storage_name(storages), "unknown");
	assert_string_equal(storage_name(UINT32_MAX), "unknown");
}

static void
test_the_limit_of_an_event_follows_that_of_a_body(void **state)
{
	struct config config;
	struct error err;

	must_load(&(struct load){.environment = {{"MAX_BODY_BYTES", "1M"}}}, &config);
	assert_int_equal(config.max_event_bytes, 1 << 20);
	config_free(&config);
	must_load(&(struct load){.environment = {{"MAX_BODY_BYTES", "4M"}, {"MAX_EVENT_BYTES", "4M"}}}, &config);
	assert_int_equal(config.max_event_bytes, 4 << 20);
	config_free(&config);
	must_load(&(struct load){.environment = {{"MAX_BODY_BYTES", "16M"}}}, &config);
	assert_int_equal(config.max_event_bytes, 4 << 20);
	config_free(&config);

	const struct load over = {.environment = {{"MAX_BODY_BYTES", "4M"}, {"MAX_EVENT_BYTES", "4194305"}}};
	assert_true(load_from(&over, &config, &err) < 0);
	assert_string_equal(err.text, "MAX_EVENT_BYTES=4194305: must not be more than MAX_BODY_BYTES, which is 4194304 "
				      "(flag --max-event-bytes or environment MAX_EVENT_BYTES)");
}

static void
test_memory_for_requests_holds_the_largest_one(void **state)
{
	struct config config;
	struct error err;

	must_load(&(struct load){0}, &config);
	assert_int_equal(config.max_buffered_bytes, 64 << 20);
	config_free(&config);
	must_load(&(struct load){.environment = {{"MAX_BODY_BYTES", "40M"}, {"MAX_HEADER_BYTES", "1K"}}}, &config);
	assert_int_equal(config.max_buffered_bytes, (80 << 20) + 2048);
	config_free(&config);

	const struct load under = {.environment = {{"MAX_BUFFERED_BYTES", "8M"}}};
	assert_true(load_from(&under, &config, &err) < 0);
	assert_string_equal(err.text,
	    "MAX_BUFFERED_BYTES=8M: must be at least 8454144 for a request of MAX_BODY_BYTES and "
	    "MAX_HEADER_BYTES (flag --max-buffered-bytes or environment MAX_BUFFERED_BYTES)");
}

static void
test_the_ring_holds_what_the_other_options_allow(void **state)
{
	struct config config;
	struct error err;
	struct load load = {.environment = {{"RING_BYTES", "8388608"}},
	    .arguments = {"--acceptors=4", "--writers=2", "--max-body-bytes=1M", "--port=9"}};

	must_load(&load, &config);
	assert_int_equal(config.ring_bytes, 8 << 20);
	assert_string_equal(config.ring_path, "/dev/shm/hooksd-9.ring");
	config_free(&config);

	load.environment[0][1] = "8388607";
	assert_true(load_from(&load, &config, &err) < 0);
	assert_string_equal(err.text,
	    "RING_BYTES=8388607: must be at least 8388608 for so many lanes that each hold the largest request; "
	    "raise it, or lower MAX_BODY_BYTES or the number of processes (flag --ring-bytes or environment "
	    "RING_BYTES)");
}

static void
test_the_default_ring_grows_as_needed_but_not_without_bounds(void **state)
{
	struct config config;
	struct error err;
	struct load load = {.arguments = {"--acceptors=4", "--writers=2", "--max-body-bytes=1M"}};

	must_load(&load, &config);
	assert_int_equal(config.ring_bytes, 64 << 20);
	config_free(&config);

	load.arguments[0] = "--acceptors=64";
	must_load(&load, &config);
	assert_int_equal(config.ring_bytes, 128 << 20);
	config_free(&config);

	load.arguments[2] = "--max-body-bytes=1G";
	assert_true(load_from(&load, &config, &err) < 0);
	assert_non_null(strstr(err.text, "RING_BYTES: would have to be 137438953472 for so many lanes, and"));
	assert_non_null(strstr(err.text, "lower MAX_BODY_BYTES"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults_hold_without_arguments_and_environment),
	    cmocka_unit_test(test_the_last_flag_wins_then_the_environment_then_the_default),
	    cmocka_unit_test(test_a_flag_without_a_value_is_true_for_booleans_alone),
	    cmocka_unit_test(test_help_version_and_print_flags_are_requests),
	    cmocka_unit_test(test_flags_that_do_not_exist_are_refused),
	    cmocka_unit_test(test_the_storage_follows_from_its_type_and_the_database_url),
	    cmocka_unit_test(test_the_limit_of_an_event_follows_that_of_a_body),
	    cmocka_unit_test(test_memory_for_requests_holds_the_largest_one),
	    cmocka_unit_test(test_the_ring_holds_what_the_other_options_allow),
	    cmocka_unit_test(test_the_default_ring_grows_as_needed_but_not_without_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
