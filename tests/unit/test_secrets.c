/* Secrets are read from files, and are wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/print.h"
#include "config/secrets.h"
#include "tests/unit/config_loading.h"

#define URL "postgresql://u:S3CRET@h/d"

static char file_path[] = "/tmp/test_secrets.XXXXXX";

static void
write_secret(const char *bytes, size_t len)
{
	FILE *file = fopen(file_path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
test_a_secret_may_be_in_a_file(void **state)
{
	static const char *const contents[] = {URL, URL "\n"};
	char flag[64];

	(void)snprintf(flag, sizeof flag, "--database-url-file=%s", file_path);
	const struct load ways[] = {
	    {.environment = {{"DATABASE_URL_FILE", file_path}}},
	    {.arguments = {flag}},
	    {.arguments = {"--database-url-file", file_path}},
	    {.environment = {{"DATABASE_URL", "postgresql://other/d"}}, .arguments = {flag, "--database-url="}},
	};
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		write_secret(contents[i], strlen(contents[i]));
		for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
			struct config config;

			must_load(&ways[way], &config);
			assert_string_equal(config.database_url, URL);
			assert_int_equal(config.storage, STORAGE_POSTGRES);
			config_free(&config);
		}
	}
}

static void
must_refuse(const char *file, const char *reason)
{
	char sentence[512];
	struct config config;
	struct error err;

	assert_true(load_from(&(struct load){.environment = {{"DATABASE_URL_FILE", file}}}, &config, &err) < 0);
	(void)snprintf(sentence, sizeof sentence,
	    "DATABASE_URL_FILE=%s: %s (flag --database-url-file or environment DATABASE_URL_FILE)", file, reason);
	assert_string_equal(err.text, sentence);
	assert_null(strstr(err.text, "S3CRET"));
}

static void
test_a_secret_file_that_cannot_be_used_is_a_clear_error(void **state)
{
	static const char not_url[] = "must hold postgresql://user:password@host:port/name or \"host=... dbname=...\", "
				      "and after that at most one newline";
	static char longest[SECRET_MAX_BYTES + 2];

	must_refuse("/nonexistent/url", "cannot be read: No such file or directory");
	must_refuse("/tmp", "is not a regular file");
	must_refuse("/dev/zero", "is not a regular file");
	must_refuse("/tmp/", "must be the path of a file, without control characters");
	write_secret("", 0);
	must_refuse(file_path, "is empty");
	write_secret("\n", 1);
	must_refuse(file_path, "is empty");
	write_secret(URL "\0", sizeof URL);
	must_refuse(file_path, "has a NUL in it");
	write_secret("S3CRET", 6);
	must_refuse(file_path, not_url);
	write_secret(URL "\n\n", sizeof URL + 1);
	must_refuse(file_path, not_url);
	write_secret(URL "\r\n", sizeof URL + 1);
	must_refuse(file_path, not_url);

	memset(longest, 'x', sizeof longest);
	memcpy(longest, "host=", 5);
	write_secret(longest, SECRET_MAX_BYTES + 1);
	must_refuse(file_path, "is longer than 16384 bytes");
	longest[SECRET_MAX_BYTES] = '\n';
	write_secret(longest, SECRET_MAX_BYTES + 1);
	must_refuse(file_path, "is longer than 16384 bytes");
	longest[SECRET_MAX_BYTES] = '\0';
	write_secret(longest, SECRET_MAX_BYTES);

	struct config config;
	must_load(&(struct load){.environment = {{"DATABASE_URL_FILE", file_path}}}, &config);
	assert_string_equal(config.database_url, longest);
	config_free(&config);
}

static void
test_a_fifo_in_place_of_the_file_is_refused_at_once(void **state)
{
	char path[sizeof file_path + 8];

	(void)snprintf(path, sizeof path, "%s.fifo", file_path);
	assert_int_equal(mkfifo(path, 0600), 0);
	must_refuse(path, "is not a regular file");
	assert_int_equal(unlink(path), 0);
}

static void
test_a_secret_and_its_file_are_not_given_together(void **state)
{
	char flag[64];
	struct config config;
	struct error err;

	write_secret(URL, sizeof URL - 1);
	(void)snprintf(flag, sizeof flag, "--database-url-file=%s", file_path);
	const struct load ways[] = {
	    {.environment = {{"DATABASE_URL_FILE", file_path}, {"DATABASE_URL", URL}}},
	    {.environment = {{"DATABASE_URL", URL}}, .arguments = {flag}},
	    {.environment = {{"DATABASE_URL_FILE", file_path}}, .arguments = {"--database-url=" URL}},
	    {.arguments = {flag, "--database-url=" URL}},
	};
	for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
		assert_true(load_from(&ways[way], &config, &err) < 0);
		assert_non_null(strstr(err.text, "DATABASE_URL_FILE=/tmp/"));
		assert_non_null(strstr(err.text, ": DATABASE_URL is also given; set one of the two ("));
		assert_null(strstr(err.text, "S3CRET"));
	}
}

/* The file, and not also its contents: with both of them a start would be refused. */
static void
test_a_printed_configuration_names_the_file(void **state)
{
	char *text = NULL, line[64];
	size_t len = 0;
	struct config config;
	FILE *memory = open_memstream(&text, &len);

	write_secret(URL, sizeof URL - 1);
	must_load(&(struct load){.environment = {{"DATABASE_URL_FILE", file_path}}}, &config);
	assert_non_null(memory);
	config_print(memory, &config);
	assert_int_equal(fclose(memory), 0);
	(void)snprintf(line, sizeof line, "DATABASE_URL=\nDATABASE_URL_FILE=%s\n", file_path);
	assert_non_null(strstr(text, line));
	config_free(&config);
	free(text);
}

/* Reads the environment or the command line of this process from /proc, as text without NUL. */
static size_t
read_proc(const char *name, char *out, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/%s", name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(out, 1, size, file);
	assert_int_equal(fclose(file), 0);
	return len;
}

/*
 * Runs in a process of its own that was started with secrets in its environment and arguments, for
 * test_wiped_secrets_are_nowhere_in_the_process.
 */
static int
wipe_in_child(int argc, char **argv)
{
	static char before[65536], after[65536];
	struct config config;
	struct error err;

	if (config_load(&config, argc, argv, load_ring_need, &err) != CONFIG_RUN)
		return 10;
	if (strcmp(config.database_url, "host=h password=S3CRET-flag") != 0)
		return 11;
	size_t len = read_proc("environ", before, sizeof before);
	if (memmem(before, len, "S3CRET", 6) == NULL)
		return 12;
	len = read_proc("cmdline", before, sizeof before);
	if (memmem(before, len, "S3CRET", 6) == NULL)
		return 13;

	config_wipe_secrets(&config, argc, argv, SECRET_FOR_NONE);
	if (config.database_url != NULL || config.port != 7)
		return 14;
	len = read_proc("environ", after, sizeof after);
	if (memmem(after, len, "S3CRET", 6) != NULL || memmem(after, len, "KEPT=1", 6) == NULL)
		return 15;
	len = read_proc("cmdline", after, sizeof after);
	if (memmem(after, len, "S3CRET", 6) != NULL || memmem(after, len, "--port=7", 8) == NULL)
		return 16;
	config_wipe_secrets(&config, argc, argv, SECRET_FOR_NONE);
	config_free(&config);
	return 0;
}

static void
test_wiped_secrets_are_nowhere_in_the_process(void **state)
{
	char *const environment[] = {(char[]){"PGPASSWORD=S3CRET-pg"}, (char[]){"KEPT=1"},
	    (char[]){"DATABASE_URL=postgresql://u:S3CRET-env@h/d"}, NULL};
	char *const arguments[] = {(char[]){"wipe"}, (char[]){"--database-url=postgresql://u:S3CRET@h/d"},
	    (char[]){"--port=7"}, (char[]){"--DATABASE_URL"}, (char[]){"host=h password=S3CRET-flag"}, NULL};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execve("/proc/self/exe", arguments, environment);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_secret_may_be_in_a_file),
	    cmocka_unit_test(test_a_secret_file_that_cannot_be_used_is_a_clear_error),
	    cmocka_unit_test(test_a_fifo_in_place_of_the_file_is_refused_at_once),
	    cmocka_unit_test(test_a_secret_and_its_file_are_not_given_together),
	    cmocka_unit_test(test_a_printed_configuration_names_the_file),
	    cmocka_unit_test(test_wiped_secrets_are_nowhere_in_the_process),
	};

	if (strcmp(argv[0], "wipe") == 0)
		return wipe_in_child(argc, argv);
	int fd = mkstemp(file_path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(file_path);
	return failed;
}
