/* How jsonl_repair() mends the ends of files that a power cut leaves. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/jsonl/jsonl_inspect.h"
#include "store/jsonl/jsonl_repair.h"

#define A "{\"event_id\":\"a\"}\n"
#define B "{\"event_id\":\"b\"}\n"
#define C "{\"event_id\":\"c\"}\n"
#define SECTOR 512

static char directory[] = "/tmp/test-jsonl-repair-XXXXXX";
static char path[64];

static int
file_with(const char *bytes, size_t len)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

static void
assert_holds(int fd, const char *expected, size_t len)
{
	char *bytes = mem_new(len + 1, 1);
	assert_int_equal(pread(fd, bytes, len + 1, 0), len);
	assert_memory_equal(bytes, expected, len);
	free(bytes);
}

/* The repair must have kept those bytes, and only those, beside the file. Removes them. */
static void
assert_kept(const char *torn, size_t len)
{
	char pattern[96];
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s.torn.*", path);
	if (len == 0) {
		assert_int_equal(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
		return;
	}
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	int fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_holds(fd, torn, len);
	close(fd);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	globfree(&found);
}

static void
repairs(const char *bytes, size_t len, const char *expected, size_t expected_len, const char *torn, size_t torn_len)
{
	int fd = file_with(bytes, len);
	struct error err;

	assert_int_equal(jsonl_repair(fd, path, &err), 0);
	assert_holds(fd, expected, expected_len);
	assert_kept(torn, torn_len);
	assert_true(jsonl_is_sound(fd, (off_t)expected_len));
	/* The next append follows the last line. */
	assert_int_equal(write(fd, C, strlen(C)), strlen(C));
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, expected_len + strlen(C));
	close(fd);
}

#define REPAIRS(bytes, expected, torn)                                                                                 \
	repairs(bytes, sizeof(bytes) - 1, expected, sizeof(expected) - 1, torn, sizeof(torn) - 1)
#define STAYS(bytes) REPAIRS(bytes, bytes, "")

static void
whole_lines_stay(void **state)
{
	STAYS("");
	STAYS("\n");
	STAYS(A B);
	STAYS(A "not JSON, and not ours\n" B);
	STAYS("{\"of\":\"others\"}\n");
}

static void
a_last_line_without_its_newline_is_ended_or_removed(void **state)
{
	REPAIRS(A "{\"b\":{\"}\":2}}", A "{\"b\":{\"}\":2}}\n", "");
	REPAIRS(A "{\"b\\\"}\":2}", A "{\"b\\\"}\":2}\n", "");
	REPAIRS(A "{\"b\":{\"c\":2}", A, "{\"b\":{\"c\":2}");
	REPAIRS(A "{\"b\\\":2}", A, "{\"b\\\":2}");
	REPAIRS("{\"b\":", "", "{\"b\":");
	REPAIRS(A "text", A "text\n", "");
	REPAIRS(A "{\"b\":\t", A "{\"b\":\t\n", "");
}

static void
zeros_that_are_not_lost_sectors_stay(void **state)
{
	STAYS(A "{\"b\0\0\0\n" C);
	STAYS(A "{\"event_id\":\0\0\0}\n" C);
	STAYS(A "\0\0\0\n" C);
	REPAIRS(A "x\0\0\0", A "x\0\0\0\n", "");
	REPAIRS(A "{\"b\0\0:1", A "{\"b\0\0:1\n", "");
	/* Zeros at the end are removed: a disk may know the size of the file and not its last bytes. */
	REPAIRS(A "\0\0\0", A, "\0\0\0");
	REPAIRS(A "{\"b\0\0\0", A, "{\"b\0\0\0");
	REPAIRS("\0\0\0", "", "\0\0\0");
}

static void
a_file_that_does_not_begin_with_an_event_is_refused(void **state)
{
	static const char *const beginnings[] = {
	    "x", "[" A, "{\n\"a\":1}\n", "\xFF\xFE{", "{x", " \n\t-" A, "\xEF\xBB" A};
	struct error err;

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
		size_t len = strlen(beginnings[i]);
		int fd = file_with(beginnings[i], len);

		assert_int_equal(jsonl_repair(fd, path, &err), -1);
		assert_non_null(strstr(err.text, path));
		assert_holds(fd, beginnings[i], len);
		assert_false(jsonl_is_sound(fd, (off_t)len));
		close(fd);
	}
	STAYS(" \n\t" A);
	STAYS("\xEF\xBB\xBF" A);
	STAYS("{ \"a\":1}\n");
	STAYS("{}\n");
}

/* Lines as hooksd writes them, of that length. lose() removes sectors. */
struct tail {
	char bytes[16 * SECTOR];
	size_t len;
};

static struct tail
tail_of(size_t line_bytes, size_t lines)
{
	struct tail tail = {.len = 0};

	for (size_t i = 0; i < lines; i++, tail.len += line_bytes) {
		memset(tail.bytes + tail.len, 'x', line_bytes);
		memcpy(tail.bytes + tail.len, "{\"event_id\":\"", 13);
		memcpy(tail.bytes + tail.len + line_bytes - 3, "\"}\n", 3);
	}
	return tail;
}

static void
lose(struct tail *tail, size_t sector)
{
	memset(tail->bytes + sector * SECTOR, 0, SECTOR);
}

static void
lines_that_lost_sectors_touch_are_removed(void **state)
{
	struct tail tail = tail_of(400, 20), whole = tail;
	char expected[16 * SECTOR], torn[16 * SECTOR];

	lose(&tail, 2); /* bytes 1024 to 1535, of the lines 2 and 3 */
	memcpy(expected, whole.bytes, 800);
	memcpy(expected + 800, whole.bytes + 1600, 6400);
	memcpy(torn, tail.bytes + 800, 800);
	repairs(tail.bytes, 8000, expected, 7200, torn, 800);

	/*
	 * The first line of a new file and a part of the second are lost. The file is taken for one of events, although
	 * it begins with zeros.
	 */
	lose(&tail, 0);
	memcpy(expected, whole.bytes + 1600, 6400);
	memcpy(torn, tail.bytes, 1600);
	repairs(tail.bytes, 8000, expected, 6400, torn, 1600);
}

/* Zeros before lines of another program are not of the last append. */
static void
torn_lines_before_those_of_another_program_stay(void **state)
{
	struct tail tail = tail_of(400, 20);

	lose(&tail, 2);
	memcpy(tail.bytes + 4000, "{\"by\":\"others\"", 15);
	repairs(tail.bytes, 8000, tail.bytes, 8000, "", 0);
	/* A file whose beginning was lost is refused then. */
	lose(&tail, 0);
	struct error err;
	int fd = file_with(tail.bytes, 8000);
	assert_int_equal(jsonl_repair(fd, path, &err), -1);
	assert_holds(fd, tail.bytes, 8000);
	close(fd);
}

/* Zeros that are further from the end than one append, and a line that is longer than one. */
static void
torn_lines_before_the_last_append_stay(void **state)
{
	const size_t line = 128, lines = (size_t)JSONL_APPEND_MOST / line + 1000;
	char *bytes = mem_new(lines, line);

	for (size_t i = 0; i < lines; i++) {
		memset(bytes + i * line, 'x', line);
		memcpy(bytes + i * line, "{\"event_id\":\"", 13);
		memcpy(bytes + (i + 1) * line - 3, "\"}\n", 3);
	}
	memset(bytes + SECTOR, 0, SECTOR);
	repairs(bytes, lines * line, bytes, lines * line, "", 0);
	memset(bytes + line, 'x', (lines - 1) * line);
	int fd = file_with(bytes, lines * line);
	struct error err;
	assert_int_equal(jsonl_repair(fd, path, &err), 0);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, lines * line + 1);
	close(fd);
	free(bytes);
}

static int
make_directory(void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/events.jsonl", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	return unlink(path) == 0 ? rmdir(directory) : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_lines_stay),
	    cmocka_unit_test(a_last_line_without_its_newline_is_ended_or_removed),
	    cmocka_unit_test(zeros_that_are_not_lost_sectors_stay),
	    cmocka_unit_test(a_file_that_does_not_begin_with_an_event_is_refused),
	    cmocka_unit_test(lines_that_lost_sectors_touch_are_removed),
	    cmocka_unit_test(torn_lines_before_those_of_another_program_stay),
	    cmocka_unit_test(torn_lines_before_the_last_append_stay),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
