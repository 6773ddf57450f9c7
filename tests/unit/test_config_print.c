/* How people see the options: help, tables, and the configuration that --print-config shows. */
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

static void
test_each_row_of_the_option_table_is_complete(void **state)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];
		char flag[OPTION_FLAG_MAX];

		assert_non_null(option->name);
		assert_non_null(option->help);
		assert_int_not_equal(option->size, 0);
		option_flag(option, flag);
		assert_ptr_equal(option_find(flag + 2, strlen(flag + 2)), option);
		assert_ptr_equal(option_find(option->name, strlen(option->name)), option);
		assert_true((option->type == TYPE_CHOICE) == (option->choices != NULL));
		assert_false(option->initial != NULL && option->initial_text != NULL);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(option->offset, option_table[j].offset);
	}
}

static char *
printed_help(const char *topic)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	assert_non_null(memory);
	config_print_help(memory, "hooksd", "Does something.", topic);
	assert_int_equal(fclose(memory), 0);
	return text;
}

static bool
help_has(const char *help, const struct option *option)
{
	char flag[OPTION_FLAG_MAX + 4] = "  ";

	option_flag(option, flag + 2);
	(void)strcat(flag, " ");
	return strstr(help, flag) != NULL;
}

/* Cuts the help into lines, each of which must fit a terminal. Returns how many there are. */
static size_t
count_lines(char *help)
{
	size_t lines = 0;

	for (char *line = help, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		lines++;
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	}
	return lines;
}

static void
test_help_fits_a_screen_and_names_the_flags_for_the_rest(void **state)
{
	char *help = printed_help(NULL);

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (help_has(help, &option_table[i]) != option_table[i].common)
			fail_msg("%s: .common and --help disagree", option_table[i].name);
	assert_non_null(strstr(help, "--help=all"));
	assert_in_range(count_lines(help), 12, 23); /* with the prompt a screen of 24 lines */
	free(help);
}

static void
test_help_all_shows_every_option(void **state)
{
	char *help = printed_help("all");

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (!help_has(help, &option_table[i]))
			fail_msg("%s is not in the help", option_table[i].name);
	for (enum option_section section = 0; section < SECTION_COUNT; section++)
		assert_non_null(strstr(help, option_section_heading(section)));
	(void)count_lines(help);
	free(help);
}

static void
test_help_of_a_section_shows_its_options(void **state)
{
	char *help = printed_help("LOGGING");

	for (size_t i = 0; i < OPTION_COUNT; i++)
		assert_int_equal(help_has(help, &option_table[i]), option_table[i].section == SECTION_LOGGING);
	free(help);
}

static void
test_the_markdown_tables_have_every_option(void **state)
{
	char *table = NULL;
	size_t rows = 0, len;
	FILE *memory = open_memstream(&table, &len);

	assert_non_null(memory);
	config_print_markdown(memory);
	assert_int_equal(fclose(memory), 0);

	assert_non_null(strstr(table, "\n**Spool and ring**\n\n| option | default |"));
	assert_non_null(strstr(table, "| `PORT` | `8080` | a whole number from 0 to 65535 | "));
	assert_non_null(strstr(table, "| `ACCEPTORS` | CPUs allowed | a whole number from 1 to 64, in processes | "));
	for (char *line = strtok(table, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		size_t bars = 0;

		if (line[0] == '*')
			continue;
		for (size_t i = 0; line[i] != '\0'; i++)
			bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
		assert_int_equal(bars, 5);
		rows++;
	}
	assert_int_equal(rows, OPTION_COUNT + SECTION_COUNT * 2);
	free(table);
}

/* The output of --print-config, put into the environment, makes the same configuration. */
static void
test_a_printed_configuration_can_be_given_again(void **state)
{
	const struct load load = {.environment = {{"STORAGE_TYPE", "null"}, {"LOG_LEVEL", "ERROR"}},
	    .arguments = {"--host=::1", "--auto-migrate=no", "--max-body-bytes=5M", "--jsonl-rotate-bytes=1G",
		"--ack=QUEUED", "--store-timeout-ms=2m"}};
	char *first = NULL, *second = NULL;
	size_t len;
	struct config config;
	struct error err;

	must_load(&load, &config);
	FILE *memory = open_memstream(&first, &len);
	config_print(memory, &config);
	(void)fclose(memory);
	config_free(&config);

	(void)clearenv();
	char *copy = strdup(first);
	for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n"))
		assert_int_equal(putenv(line), 0);
	char *argv[] = {(char[]){"hooksd"}, NULL};
	assert_int_equal(config_load(&config, 1, argv, load_ring_need, &err), CONFIG_RUN);
	memory = open_memstream(&second, &len);
	config_print(memory, &config);
	(void)fclose(memory);
	config_free(&config);

	assert_string_equal(first, second);
	(void)clearenv();
	free(first);
	free(second);
	free(copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_row_of_the_option_table_is_complete),
	    cmocka_unit_test(test_help_fits_a_screen_and_names_the_flags_for_the_rest),
	    cmocka_unit_test(test_help_all_shows_every_option),
	    cmocka_unit_test(test_help_of_a_section_shows_its_options),
	    cmocka_unit_test(test_the_markdown_tables_have_every_option),
	    cmocka_unit_test(test_a_printed_configuration_can_be_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
