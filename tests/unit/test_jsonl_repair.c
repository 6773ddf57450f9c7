/* What jsonl_repair() makes of the ends that a power cut leaves. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "writer/jsonl_repair.h"

#define A "{\"a\":1}\n"
#define B "{\"b\":2}\n"
#define C "{\"c\":3}\n"

static int
file_with(const char *bytes, size_t len)
{
	char path[] = "/tmp/test-jsonl-repair-XXXXXX";
	int created = mkstemp(path);
	assert_true(created >= 0);
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	close(created);
	assert_int_equal(unlink(path), 0);
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

static void
repairs(const char *bytes, size_t len, const char *expected)
{
	int fd = file_with(bytes, len);
	struct error err;

	assert_int_equal(jsonl_repair(fd, "test", &err), 0);
	assert_holds(fd, expected, strlen(expected));
	/* And the next append stands behind it. */
	assert_int_equal(write(fd, C, strlen(C)), strlen(C));
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, strlen(expected) + strlen(C));
	close(fd);
}

#define REPAIRS(bytes, expected) repairs(bytes, sizeof(bytes) - 1, expected)

static void
whole_lines_stay(void **state)
{
	REPAIRS("", "");
	REPAIRS(A B, A B);
	REPAIRS("not JSON, but not ours\n" A, "not JSON, but not ours\n" A);
}

static void
the_last_line_is_ended(void **state)
{
	REPAIRS(A "{\"b\":2}", A B);
	REPAIRS(A "{\"b\":", A);
	REPAIRS("{\"b\":", "");
}

static void
sectors_that_were_not_written_cost_the_lines_they_touch(void **state)
{
	REPAIRS(A "{\"b\0\0\0\n" C, A C);
	REPAIRS(A "{\"b\0\0\0\0\0\0\0\"c\":1}\n" B, A B);
	REPAIRS(A "\0\0\0\n" B "\0\n" C, A B C);
	REPAIRS(A "\0\0\0", A);
	REPAIRS("\0\0\0\n", "");
	REPAIRS(A "\0\0\n{\"b\":2}", A B);
	REPAIRS(A "\0\0\n{\"b\":", A);
}

/* Larger than what is read at once, and the damage at a border of that. */
static void
damage_far_from_both_ends(void **state)
{
	const size_t lines = 200000, damaged = 98304; /* 768 KiB from the start */
	const size_t len = strlen(A);
	char *bytes = mem_new(lines, len);
	struct error err;

	for (size_t i = 0; i < lines; i++)
		memcpy(bytes + i * len, A, len);
	bytes[damaged * len] = '\0';
	int fd = file_with(bytes, lines * len);
	assert_int_equal(jsonl_repair(fd, "test", &err), 0);
	memcpy(bytes + damaged * len, A, len);
	assert_holds(fd, bytes, (lines - 1) * len);
	close(fd);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_lines_stay),
	    cmocka_unit_test(the_last_line_is_ended),
	    cmocka_unit_test(sectors_that_were_not_written_cost_the_lines_they_touch),
	    cmocka_unit_test(damage_far_from_both_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
