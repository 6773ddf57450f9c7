/* The key that a start generates: all starts have the same one, whichever is first, and only its user can read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/made_key.h"
#include "tests/unit/config_loading.h"

static char directory[] = "/tmp/test_made_key.XXXXXX";
static char data_dir_flag[64];
static char path[PATH_MAX];

static void
load(struct config *config)
{
	must_load(&(struct load){.arguments = {"--hl-make-api-key", data_dir_flag}}, config);
	assert_true(config->hl_make_api_key);
}

static int
begin(void **state)
{
	struct error err;

	assert_int_equal(made_key_path(directory, path, &err), 0);
	(void)unlink(path);
	return 0;
}

static void
test_a_start_finds_the_key_of_the_one_before(void **state)
{
	struct config first, second;
	struct error err;
	struct stat file;

	load(&first);
	assert_false(made_key_is_there(path));
	assert_int_equal(made_key_keep(&first, &err), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	load(&second);
	assert_string_equal(second.hl_api_key, first.hl_api_key);
	assert_int_equal(made_key_keep(&second, &err), 0);
	assert_string_equal(second.hl_api_key, first.hl_api_key);
	config_free(&first);
	config_free(&second);
}

static void
test_two_starts_at_the_same_time_have_the_same_key(void **state)
{
	struct config first, second;
	struct error err;

	load(&first);
	load(&second);
	assert_string_not_equal(first.hl_api_key, second.hl_api_key);
	assert_int_equal(made_key_keep(&first, &err), 0);
	assert_int_equal(made_key_keep(&second, &err), 0);
	assert_string_equal(second.hl_api_key, first.hl_api_key);
	config_free(&first);
	config_free(&second);
}

static void
test_a_key_that_cannot_be_kept_is_a_failure(void **state)
{
	struct config config;
	struct error err;

	load(&config);
	free(config.data_dir);
	config.data_dir = strdup("/dev/null/data");
	assert_true(made_key_keep(&config, &err) < 0);
	assert_non_null(strstr(err.text, "/dev/null"));
	config_free(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_start_finds_the_key_of_the_one_before, begin),
	    cmocka_unit_test_setup(test_two_starts_at_the_same_time_have_the_same_key, begin),
	    cmocka_unit_test_setup(test_a_key_that_cannot_be_kept_is_a_failure, begin),
	};

	if (mkdtemp(directory) == NULL)
		return 1;
	(void)snprintf(data_dir_flag, sizeof data_dir_flag, "--data-dir=%s", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(directory);
	return failed;
}
