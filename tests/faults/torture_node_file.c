/*
 * The file that names the node, whichever call fails: it has the last contents, or those that were being written. A
 * read that fails never reports that there is no file, because the node would begin anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "courier/node_file.h"
#include "tests/faults/torture.h"

#define WRITES 4
#define EPOCH INT64_C(4000000000000000000)

/* The n-th contents of a run: a claim swaps the epochs. The line is longer than half of what is read at once. */
static struct node_file
file_number(int64_t n)
{
	return (struct node_file){.node_id = 7000000, .epoch = EPOCH + n / 2, .next_epoch = EPOCH + (n + 1) / 2};
}

/* promised[n]: a write of the n-th contents has succeeded. */
static void
write_number(struct torture_log *log, int64_t n)
{
	const struct node_file file = file_number(n);
	struct error err = {""};
	int rc = node_file_write(torture_directory, &file, &err);

	torture_assert(rc == 0 || strstr(err.text, torture_directory) != NULL || strstr(err.text, "DATA_DIR") != NULL,
	    "no place in \"%s\"", err.text);
	log->tried[n] = 1;
	log->promised[n] = rc == 0;
}

static void
prepare(struct torture_log *log)
{
	write_number(log, 0);
}

/* Returns which contents the file has; -1: none. */
static int64_t
read_number(struct error *err)
{
	struct node_file file;
	int rc = node_file_read(torture_directory, &file, err);

	torture_assert(rc <= 0, "there is a file");
	for (int64_t n = 0; rc == 0 && n <= WRITES; n++) {
		const struct node_file one = file_number(n);

		if (file.node_id == one.node_id && file.epoch == one.epoch && file.next_epoch == one.next_epoch)
			return n;
	}
	torture_assert(rc < 0, "nobody wrote this");
	return -1;
}

static void
run(struct torture_log *log)
{
	for (int64_t n = 1; n <= WRITES; n++) {
		struct error err = {""};

		torture_assert(read_number(&err) >= 0 || strstr(err.text, NODE_FILE) != NULL, "\"%s\"", err.text);
		write_number(log, n);
	}
}

static void
check(struct torture_log *log)
{
	struct error err = {""};
	int64_t found = read_number(&err);

	torture_assert(found >= 0, "%s", err.text);
	for (int64_t n = found + 1; n <= WRITES; n++)
		torture_assert(!log->promised[n], "file %d was promised, there is %d", (int)n, (int)found);
	torture_assert(log->tried[found], "file %d was never written", (int)found);
	write_number(log, WRITES);
	torture_assert(log->promised[WRITES] && read_number(&err) == WRITES, "it does not work without faults");
}

static void
it_says_what_was_written_last(void **state)
{
	torture(&(struct torture){prepare, run, check});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_says_what_was_written_last)};

	return cmocka_run_group_tests(tests, torture_make_directory, torture_remove_directory);
}
