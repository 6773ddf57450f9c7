/*
 * The file of dead letters: no letter is spoilt by a full disk, a torn line, another writer, or a file put in its
 * place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/record_fixture.h"
#include "store/dead_letter_file.h"

struct fixture {
	char root[32];
	char directory[64];
	char path[96];
	struct dead_letter_file letters;
	struct record *record;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->root, "/tmp/hooks-dead-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	(void)snprintf(f->directory, sizeof f->directory, "%s/a/b", f->root);
	(void)snprintf(f->path, sizeof f->path, "%s/dead-letters.jsonl", f->directory);
	dead_letter_file_init(&f->letters, f->directory);
	f->record = record_of(&(struct event){.id = 7,
	    .timestamp_us = 951782400000001,
	    .received_us = -1,
	    .client_event_id = "c\"1",
	    .event_type = "tool",
	    .session_id = "s\n\x01",
	    .phase_id = "\xc3\xa9",
	    .data = "{\"n\":1e200000,\"t\":\"\\u0000\\\\\"}"});
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	dead_letter_file_free(&f->letters);
	(void)unlink(f->path);
	(void)rmdir(f->directory);
	*strrchr(f->directory, '/') = '\0';
	(void)rmdir(f->directory);
	(void)rmdir(f->root);
	free(f->record);
	free(f);
	return 0;
}

static void
append(struct fixture *f, const char *message)
{
	struct error err;

	if (dead_letter_file_append(&f->letters, &(struct refused){0, "22003", message}, f->record, &err) != 0 ||
	    dead_letter_file_sync(&f->letters, &err) != 0)
		fail_msg("%s", err.text);
}

/* Returns the file's contents with a NUL behind them. Release them with free(). */
static char *
contents(const struct fixture *f)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY);

	assert_int_equal(fstat(fd, &st), 0);
	char *text = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	return text;
}

static void
assert_key(const cJSON *line, const char *key, const char *value)
{
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, key)), value);
}

static void
test_each_letter_is_one_line(void **state)
{
	struct fixture *f = *state;

	append(f, "first");
	append(f, "second");
	char *text = contents(f), *second = strchr(text, '\n') + 1;
	cJSON *line = cJSON_Parse(text);
	assert_key(line, "message", "first");
	cJSON_Delete(line);
	line = cJSON_Parse(second);
	assert_key(line, "message", "second");
	cJSON_Delete(line);
	assert_ptr_equal(strchr(second, '\n'), second + strlen(second) - 1);
	free(text);
}

static void
test_other_users_cannot_read_the_file(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	append(f, "m");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

static void
test_a_torn_line_is_ended_before_the_next_letter(void **state)
{
	struct fixture *f = *state;

	append(f, "first");
	assert_int_equal(truncate(f->path, 20), 0);
	append(f, "second");
	char *text = contents(f);
	assert_int_equal(text[20], '\n');
	cJSON *line = cJSON_Parse(text + 21);
	assert_key(line, "message", "second");
	cJSON_Delete(line);
	free(text);
}

/* A limit on the file's size stands for the full disk: the write comes up short. */
static void
test_a_letter_that_does_not_fit_on_the_disk_leaves_no_part(void **state)
{
	struct fixture *f = *state;
	struct rlimit unlimited, limit;
	struct error err;

	append(f, "first");
	char *before = contents(f);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = strlen(before) + 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int rc = dead_letter_file_append(&f->letters, &(struct refused){0, "22003", "second"}, f->record, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_true(rc < 0);
	char *after = contents(f);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void
test_a_closed_file_is_opened_again_for_the_next_letter(void **state)
{
	struct fixture *f = *state;

	append(f, "first");
	dead_letter_file_close(&f->letters);
	assert_int_equal(unlink(f->path), 0);
	append(f, "second");
	char *text = contents(f);
	assert_non_null(strstr(text, "second"));
	free(text);
}

/* hooksctl replaces the file and reads the old one. New letters must go to the new file. */
static void
test_letters_go_to_the_file_that_was_put_in_its_place(void **state)
{
	struct fixture *f = *state;
	char other[128];

	append(f, "first");
	(void)snprintf(other, sizeof other, "%s.new", f->path);
	int fd = open(other, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{\"kept\"}\n", 9), 9);
	close(fd);
	assert_int_equal(rename(other, f->path), 0);
	append(f, "second");
	char *text = contents(f);
	assert_memory_equal(text, "{\"kept\"}\n", 9);
	assert_non_null(strstr(text, "second"));
	assert_null(strstr(text, "first"));
	free(text);

	assert_int_equal(unlink(f->path), 0);
	append(f, "third");
	text = contents(f);
	assert_non_null(strstr(text, "third"));
	free(text);
}

static void
test_a_directory_that_cannot_be_made_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct dead_letter_file letters;
	struct error err;

	dead_letter_file_init(&letters, "/dev/null/data");
	assert_true(dead_letter_file_append(&letters, &(struct refused){0, "22003", "m"}, f->record, &err) < 0);
	assert_non_null(strstr(err.text, "/dev/null"));
	dead_letter_file_free(&letters);
}

#define WRITERS 4
#define LINES_EACH 500

static void
test_letters_of_several_writers_stay_whole_in_one_file(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WRITERS];
	int lines = 0;

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		struct error err;
		for (int n = 0; n < LINES_EACH; n++)
			if (dead_letter_file_append(&f->letters, &(struct refused){0, "22003", "m"}, f->record, &err) !=
			    0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}

	char *text = contents(f);
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
		cJSON *json = cJSON_ParseWithLength(line, (size_t)(end - line));
		assert_int_equal(cJSON_GetArraySize(json), 8);
		cJSON_Delete(json);
	}
	assert_int_equal(lines, WRITERS * LINES_EACH);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_each_letter_is_one_line, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_other_users_cannot_read_the_file, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_torn_line_is_ended_before_the_next_letter, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_letter_that_does_not_fit_on_the_disk_leaves_no_part, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_closed_file_is_opened_again_for_the_next_letter, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_letters_go_to_the_file_that_was_put_in_its_place, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_directory_that_cannot_be_made_is_an_error, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_letters_of_several_writers_stay_whole_in_one_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
