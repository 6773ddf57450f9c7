/*
 * The spool gives back what was appended in order and once, over restarts, and damage costs only the damaged events.
 * Tests can make the important system calls fail: functions of this program replace the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record_fixture.h"
#include "writer/spool.h"
#include "writer/spool_replay.h"

#define GIB ((uint64_t)1 << 30)

static char data_dir[64], spool_dir[96];
static struct writer_slot slot;
static bool commits; /* whether the next appends are committed */
static struct spool spool;
static int failing_syncs, failing_writes; /* so many of the next calls fail; a write fails after half of it */

int
fdatasync(int fd)
{
	if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	if (failing_writes > 0 && len > sizeof(struct spool_header)) {
		if (failing_writes-- % 2 == 0)
			return syscall(SYS_pwrite64, fd, bytes, len / 2, offset);
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

static void
open_with(uint32_t writer, uint32_t writers, uint64_t max_bytes)
{
	struct error err;
	const struct spool_options options = {.directory = SPOOL_DIRECTORY,
	    .data_dir = data_dir,
	    .writer = writer,
	    .writers = writers,
	    .max_bytes = max_bytes,
	    .slot = &slot};

	assert_int_equal(spool_open(&spool, &options, &err), 0);
}

static void
reopen(void)
{
	spool_close(&spool);
	open_with(0, 1, GIB);
}

/* Calls act with each file of the directory whose name begins so. Returns how many there are. */
static int
each_file(const char *begin, void (*act)(const char *path))
{
	DIR *directory = opendir(spool_dir);
	struct dirent *entry;
	int count = 0;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char path[400];

		if (entry->d_name[0] == '.' || strncmp(entry->d_name, begin, strlen(begin)) != 0)
			continue;
		count++;
		(void)snprintf(path, sizeof path, "%s/%s", spool_dir, entry->d_name);
		if (act != NULL)
			act(path);
	}
	if (directory != NULL)
		closedir(directory);
	return count;
}

static void
remove_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static int
set_up(void **state)
{
	(void)snprintf(data_dir, sizeof data_dir, "/tmp/hooks-test-spool-XXXXXX");
	if (mkdtemp(data_dir) == NULL)
		return -1;
	(void)snprintf(spool_dir, sizeof spool_dir, "%s/" SPOOL_DIRECTORY, data_dir);
	memset(&slot, 0, sizeof slot);
	failing_syncs = failing_writes = 0;
	commits = true;
	open_with(0, 1, GIB);
	return 0;
}

static int
tear_down(void **state)
{
	spool_close(&spool);
	(void)each_file("", remove_file);
	(void)rmdir(spool_dir);
	return rmdir(data_dir);
}

static uint64_t
counted(enum counter counter)
{
	return ledger_page(&slot.ledger)->counters[counter];
}

/* Appends events with the ids first..first+count-1, each with so many bytes of data. */
static int
append_sized(uint8_t first, uint32_t count, size_t bytes)
{
	const struct record *records[256];
	char *data = calloc(bytes + 3, 1);
	struct error err;
	int rc;

	memset(data, ' ', bytes + 2);
	data[0] = '{';
	data[bytes + 1] = '}';
	for (uint32_t i = 0; i < count; i++)
		records[i] = record_of(
		    &(struct event){.id = (uint8_t)(first + i), .event_type = "t", .session_id = "s", .data = data});
	rc = spool_append(&spool, records, count, &err);
	if (rc == 0 && commits) {
		ledger_draft(&slot.ledger)->spool_events += count;
		ledger_commit(&slot.ledger);
		spool_append_committed(&spool);
	}
	for (uint32_t i = 0; i < count; i++)
		free((void *)(uintptr_t)records[i]);
	free(data);
	return rc;
}

static int
append(uint8_t first, uint32_t count)
{
	return append_sized(first, count, 10);
}

static void
stored(void)
{
	spool_draft_replayed(&spool, ledger_draft(&slot.ledger));
	ledger_commit(&slot.ledger);
	spool_replay_committed(&spool);
}

/* Replays all events. Returns their ids as characters. */
static const char *
replay(void)
{
	static char ids[1024];
	size_t used = 0;
	struct error err;

	for (;;) {
		assert_int_equal(spool_next(&spool, &err), 0);
		if (spool.reader.count == 0)
			break;
		for (uint32_t i = 0; i < spool.reader.count; i++)
			ids[used++] = (char)spool.reader.records[i]->event_id[15];
		stored();
	}
	ids[used] = '\0';
	return ids;
}

/* Flips a bit of that byte in the only file. */
static off_t flip_at;

static void
flip(const char *path)
{
	int fd = open(path, O_RDWR);
	char byte;

	assert_int_equal(pread(fd, &byte, 1, flip_at), 1);
	byte ^= 0x10;
	assert_int_equal(syscall(SYS_pwrite64, fd, &byte, (size_t)1, flip_at), 1);
	close(fd);
}

static void
cut_seven_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 7), 0);
}

static void
events_are_given_back_in_order_and_once(void **state)
{
	assert_false(spool.found_any);
	assert_false(spool_waiting(&spool));
	assert_int_equal(append('a', 3), 0);
	assert_int_equal(append('d', 2), 0);
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 5);
	assert_int_equal(slot.process.levels[LEVEL_SPOOL_FILES], 1);
	assert_string_equal(replay(), "abcde");
	assert_int_equal(ledger_page(&slot.ledger)->spool_events + slot.process.levels[LEVEL_SPOOL_BYTES], 0);
	assert_int_equal(each_file("", NULL), 0);
	assert_int_equal(append('f', 1), 0);
	assert_string_equal(replay(), "f");
	assert_int_equal(each_file("", NULL), 0);
}

static void
a_restart_finds_the_events_and_begins_a_file_of_its_own(void **state)
{
	assert_int_equal(append('a', 2), 0);
	reopen();
	assert_true(spool.found_any);
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 2);
	assert_int_equal(append('c', 1), 0);
	assert_int_equal(each_file("spool-00-", NULL), 2);
	assert_string_equal(replay(), "abc");
	assert_int_equal(each_file("", NULL), 0);
}

static void
progress_is_remembered(void **state)
{
	struct error err;

	/* More events than one read holds. */
	for (char c = 'a'; c < 'a' + 12; c++)
		assert_int_equal(append_sized((uint8_t)c, 1, 1 << 20), 0);
	assert_int_equal(spool_next(&spool, &err), 0);
	uint32_t first = spool.reader.count;
	assert_in_range(first, 1, 11);
	/* They are not stored, so the same ones come again, also after a restart. */
	assert_int_equal(spool_next(&spool, &err), 0);
	assert_int_equal(spool.reader.count, first);
	stored();
	reopen();
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 12 - first);
	assert_string_equal(replay(), &"abcdefghijkl"[first]);
	assert_int_equal(counted(COUNTER_DAMAGED), 0);
}

static void
a_record_that_is_larger_than_a_read_is_given_back(void **state)
{
	assert_int_equal(append('a', 1), 0);
	assert_int_equal(append_sized('b', 1, (size_t)20 << 20), 0);
	assert_int_equal(append('c', 1), 0);
	assert_string_equal(replay(), "abc");
}

static void
files_rotate(void **state)
{
	spool.file_bytes = 1200;
	for (char c = 'a'; c < 'a' + 10; c++)
		assert_int_equal(append_sized((uint8_t)c, 1, 400), 0);
	assert_int_equal(each_file("spool-00-", NULL), 10 / 2 + 10 % 2);
	reopen();
	assert_string_equal(replay(), "abcdefghij");
	assert_int_equal(each_file("", NULL), 0);
}

static void
a_full_spool_takes_events_again_after_a_replay(void **state)
{
	spool_close(&spool);
	open_with(0, 1, 64 << 10);
	assert_false(spool_low(&spool));
	assert_int_equal(append_sized('a', 1, 61 << 10), 0);
	assert_true(spool_low(&spool));
	assert_int_equal(append_sized('b', 1, 4 << 10), SPOOL_FULL);
	assert_string_equal(replay(), "a");
	assert_int_equal(append_sized('b', 1, 4 << 10), 0);
	assert_string_equal(replay(), "b");
}

static void
a_failed_write_is_cut_off(void **state)
{
	assert_int_equal(append('a', 2), 0);
	failing_writes = 2; /* a write of half the bytes, then no space */
	assert_int_equal(append('x', 2), SPOOL_FULL);
	assert_int_equal(append('c', 1), 0);
	assert_int_equal(each_file("spool-", NULL), 1);
	reopen();
	assert_string_equal(replay(), "abc");
	assert_int_equal(counted(COUNTER_DAMAGED), 0);
}

static void
a_failed_sync_ends_the_file(void **state)
{
	assert_int_equal(append('a', 2), 0);
	failing_syncs = 1;
	assert_int_equal(append('c', 2), 0);
	assert_int_equal(each_file("spool-", NULL), 2);
	failing_syncs = 100;
	for (int i = 0; i < 3; i++)
		assert_true(append('x', 1) < 0);
	failing_syncs = 0;
	assert_int_equal(each_file("spool-", NULL), 2);
	assert_int_equal(append('e', 1), 0);
	reopen();
	assert_string_equal(replay(), "abcde");
	assert_int_equal(counted(COUNTER_DAMAGED), 0);
}

/* Whichever bit is flipped: one event is lost and counted, or none if the bit is the header's. */
static void
a_flipped_bit_costs_one_event(void **state)
{
	assert_int_equal(append('a', 5), 0);
	uint64_t size = spool.bytes;

	(void)replay();
	for (flip_at = 0; flip_at < (off_t)size; flip_at++) {
		memset(&slot, 0, sizeof slot);
		assert_int_equal(append('a', 5), 0);
		assert_int_equal(each_file("spool-", flip), 1);
		reopen();
		size_t got = strlen(replay());
		bool in_header = flip_at < (off_t)sizeof(struct spool_header);

		assert_int_equal(got, in_header ? 5 : 4);
		assert_int_equal(counted(COUNTER_DAMAGED), in_header ? 0 : 1);
		assert_int_equal(each_file("spool-", NULL), 0);
		assert_int_equal(each_file("damaged-", remove_file), in_header ? 0 : 1);
	}
}

static void
a_truncated_file_costs_its_last_event(void **state)
{
	assert_int_equal(append('a', 5), 0);
	assert_int_equal(each_file("spool-", cut_seven_bytes), 1);
	reopen();
	assert_string_equal(replay(), "abcd");
	assert_int_equal(counted(COUNTER_DAMAGED), 1);
	assert_int_equal(each_file("damaged-", NULL), 1);
}

static void
a_torn_append_does_not_count_as_damage(void **state)
{
	assert_int_equal(append('a', 2), 0);
	assert_int_equal(syscall(SYS_pwrite64, spool.append_fd, "torn off", (size_t)8, spool.bytes), 8);
	reopen();
	assert_string_equal(replay(), "ab");
	assert_int_equal(counted(COUNTER_DAMAGED), 0);
	assert_int_equal(each_file("", NULL), 0);
}

/* The writer died before its ledger had the append: the events are still on the ring. */
static void
an_append_that_was_not_committed_is_cut_off(void **state)
{
	assert_int_equal(append('a', 2), 0);
	commits = false;
	assert_int_equal(append('x', 3), 0);
	reopen();
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 2);
	assert_string_equal(replay(), "ab");
	assert_int_equal(counted(COUNTER_RECEIVED) + counted(COUNTER_DAMAGED), 0);
}

/* The writer died after its ledger had the replay: the file's header does not know of it yet. */
static void
events_that_the_ledger_has_as_stored_are_not_replayed_again(void **state)
{
	struct error err;

	for (char c = 'a'; c < 'a' + 12; c++)
		assert_int_equal(append_sized((uint8_t)c, 1, 1 << 20), 0);
	assert_int_equal(spool_next(&spool, &err), 0);
	uint32_t first = spool.reader.count;
	spool_draft_replayed(&spool, ledger_draft(&slot.ledger));
	ledger_commit(&slot.ledger);
	assert_true(ledger_needed_by_successor(&slot.ledger));
	reopen();
	assert_false(ledger_needed_by_successor(&slot.ledger));
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 12 - first);
	assert_string_equal(replay(), &"abcdefghijkl"[first]);
	assert_int_equal(counted(COUNTER_RECEIVED) + counted(COUNTER_DAMAGED), 0);
}

/* After a power cut the header may be one append behind, and the ledger is a new one. */
static void
the_last_append_is_found_without_header_and_ledger(void **state)
{
	assert_int_equal(append('a', 2), 0);
	commits = false;
	assert_int_equal(append('c', 3), 0);
	memset(&slot, 0, sizeof slot);
	reopen();
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 5);
	assert_int_equal(counted(COUNTER_RECEIVED), 5);
	assert_string_equal(replay(), "abcde");
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 0);
}

static void
events_of_a_removed_file_count_as_damaged(void **state)
{
	assert_int_equal(append('a', 4), 0);
	assert_int_equal(each_file("spool-", remove_file), 1);
	reopen();
	assert_int_equal(counted(COUNTER_DAMAGED), 4);
	assert_int_equal(ledger_page(&slot.ledger)->spool_events, 0);
}

static void
a_foreign_file_is_set_aside(void **state)
{
	char path[160];
	FILE *out;

	assert_int_equal(append('b', 1), 0);
	(void)snprintf(path, sizeof path, "%s/spool-00-000000000000.bin", spool_dir);
	out = fopen(path, "w");
	for (int i = 0; i < 100000; i++)
		fprintf(out, "not a spool %d\n", i * 7);
	fclose(out);
	reopen();
	assert_string_equal(replay(), "b");
	assert_int_equal(counted(COUNTER_DAMAGED), 1);
	assert_int_equal(each_file("damaged-", NULL), 1);
	assert_int_equal(each_file("spool-", NULL), 0);
}

static void
the_spools_of_writers_that_are_gone_are_taken_over(void **state)
{
	spool_close(&spool);
	open_with(5, 6, GIB);
	assert_int_equal(append('a', 2), 0);
	spool_close(&spool);
	open_with(0, 2, GIB);
	assert_true(spool.found_any);
	assert_false(spool_waiting(&spool));
	spool_close(&spool);
	open_with(1, 2, GIB);
	assert_string_equal(replay(), "ab");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	    SPOOL_TEST(events_are_given_back_in_order_and_once),
	    SPOOL_TEST(a_restart_finds_the_events_and_begins_a_file_of_its_own),
	    SPOOL_TEST(progress_is_remembered),
	    SPOOL_TEST(a_record_that_is_larger_than_a_read_is_given_back),
	    SPOOL_TEST(files_rotate),
	    SPOOL_TEST(a_full_spool_takes_events_again_after_a_replay),
	    SPOOL_TEST(a_failed_write_is_cut_off),
	    SPOOL_TEST(a_failed_sync_ends_the_file),
	    SPOOL_TEST(a_flipped_bit_costs_one_event),
	    SPOOL_TEST(a_truncated_file_costs_its_last_event),
	    SPOOL_TEST(a_torn_append_does_not_count_as_damage),
	    SPOOL_TEST(an_append_that_was_not_committed_is_cut_off),
	    SPOOL_TEST(events_that_the_ledger_has_as_stored_are_not_replayed_again),
	    SPOOL_TEST(the_last_append_is_found_without_header_and_ledger),
	    SPOOL_TEST(events_of_a_removed_file_count_as_damaged),
	    SPOOL_TEST(a_foreign_file_is_set_aside),
	    SPOOL_TEST(the_spools_of_writers_that_are_gone_are_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
