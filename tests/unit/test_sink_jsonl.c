/*
 * The JSONL sink after a crash. A writer dies at each stage of an append. Its successor must leave every event once in
 * the file, also when the file has been moved in the meantime.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "segment_fixture.h"
#include "shm/segment_lock.h"
#include "shm/settle.h"
#include "writer/intake.h"
#include "writer/store_env.h"
#include "store/jsonl/sink_jsonl.h"

static struct config config;
static struct segment segment;
static struct store_env env;
static char jsonl_path[128], moved_path[160];
static char elsewhere[128], elsewhere_path[160]; /* another directory, and the file there */

static int
set_up(void **state)
{
	ring_remove(state);
	(void)snprintf(jsonl_path, sizeof jsonl_path, "%s/events.jsonl", ring_directory);
	(void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", ring_directory);
	(void)snprintf(elsewhere_path, sizeof elsewhere_path, "%s/events.jsonl", elsewhere);
	(void)snprintf(moved_path, sizeof moved_path, "%s.1", jsonl_path);
	config = ring_config(1, 1, 1 << 20);
	config.jsonl_path = jsonl_path;
	segment = ring_open(&config);
	return 0;
}

static int
tear_down(void **state)
{
	ring_close(&segment);
	(void)unlink(elsewhere_path);
	(void)rmdir(elsewhere);
	return ring_remove(state);
}

/* Publishes one parcel of `count` events that have the required strings only. */
static void
publish(const struct lane *lane, uint32_t count)
{
	size_t available, used = 0;
	char *space = lane_reserve(lane, &available);

	for (uint32_t i = 0; i < count; i++) {
		struct record *record = (struct record *)(space + used);

		memset(record, 0, sizeof *record);
		char *at = record_begin(record);
		for (int s = 0; s < RECORD_STRINGS; s++)
			record->string_bytes[s] = RECORD_NULL;
		record->string_bytes[RECORD_EVENT_TYPE] = record->string_bytes[RECORD_SESSION_ID] = 1;
		record->data_bytes = 2;
		memcpy(at, "es{}", 4);
		used += record_seal(record);
	}
	lane_publish(lane, used, count, 0);
}

static int
lines_of(const char *path)
{
	FILE *file = fopen(path, "r");
	int lines = 0;

	if (file == NULL)
		return 0;
	for (int c; (c = getc(file)) != EOF;)
		lines += c == '\n';
	fclose(file);
	return lines;
}

struct writer {
	struct intake intake;
	struct sink *sink;
};

/* Opens the sink as a writer does at its start. */
static struct writer
start(void)
{
	struct writer w;
	struct error err;

	segment_append_lock(&segment);
	settle_take_over(&segment, ROLE_WRITER, 0);
	segment_append_unlock(&segment);
	assert_int_equal(intake_open(&w.intake, &segment, ROLE_WRITER, 0, &err), 0);
	store_env_init(&env, &segment, segment_writer(&segment, ROLE_WRITER, 0));
	w.sink = sink_jsonl_new(&config, &env.sink_env);
	assert_int_equal(w.sink->ops->open(w.sink, &err), 0);
	return w;
}

/* Stores the events that wait, without settling them. Returns how many there were. */
static uint32_t
store(struct writer *w)
{
	struct sink_result result = {0};
	struct error err;

	if (intake_gather(&w->intake))
		assert_int_equal(
		    w->sink->ops->store(w->sink, &(struct batch){w->intake.records, w->intake.count}, &result, &err),
		    0);
	return result.stored;
}

static void
commit(struct writer *w)
{
	struct ledger *ledger = &segment_writer(&segment, ROLE_WRITER, 0)->ledger;

	intake_draft_release(&w->intake, ledger_draft(ledger), false);
	ledger_commit(ledger);
}

/* A writer in a process of its own stores one batch, commits it if `committed` is set, and dies. */
static void
die_in_append(bool committed)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct writer w = start();

		(void)store(&w);
		if (committed)
			commit(&w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The successor opens the file and stores the events that still wait. Returns how many there were. */
static uint32_t
carry_on(void)
{
	struct writer w = start();
	uint32_t stored = store(&w);

	if (stored > 0) {
		commit(&w);
		settle_lanes(&segment, ROLE_WRITER, 0);
		w.sink->ops->settled(w.sink);
	}
	w.sink->ops->close(w.sink);
	munmap(w.intake.lanes[0].arena, 2 * w.intake.lanes[0].arena_bytes);
	intake_close(&w.intake);
	return stored;
}

static void
test_an_uncommitted_append_is_cut_off_and_written_again(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	publish(&lane, 2);
	assert_int_equal(carry_on(), 2);
	publish(&lane, 3);
	die_in_append(false);
	assert_int_equal(lines_of(jsonl_path), 5);
	assert_int_equal(carry_on(), 3);
	assert_int_equal(lines_of(jsonl_path), 5);
	assert_int_equal(lane_depth(&lane), 0);
	assert_false(ledger_append_open(&segment_writer(&segment, ROLE_WRITER, 0)->ledger, APPEND_JSONL));
	munmap(lane.arena, 2 * lane.arena_bytes);
}

static void
test_a_committed_append_is_released_and_not_written_again(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	publish(&lane, 3);
	publish(&lane, 4);
	die_in_append(true);
	assert_int_equal(lane_depth(&lane), 2);
	publish(&lane, 1);
	assert_int_equal(carry_on(), 1);
	assert_int_equal(lines_of(jsonl_path), 8);
	assert_int_equal(lane_depth(&lane), 0);
	munmap(lane.arena, 2 * lane.arena_bytes);
}

static void
test_a_moved_file_is_cut_in_its_new_place(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	publish(&lane, 2);
	assert_int_equal(carry_on(), 2);
	publish(&lane, 3);
	die_in_append(false);
	assert_int_equal(rename(jsonl_path, moved_path), 0);
	assert_int_equal(carry_on(), 3);
	assert_int_equal(lines_of(moved_path), 2);
	assert_int_equal(lines_of(jsonl_path), 3);
	munmap(lane.arena, 2 * lane.arena_bytes);
}

static void
test_the_file_at_an_earlier_path_is_cut(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	assert_int_equal(mkdir(elsewhere, 0700), 0);
	publish(&lane, 2);
	assert_int_equal(carry_on(), 2);
	publish(&lane, 3);
	die_in_append(false);
	ring_close(&segment);
	config.jsonl_path = elsewhere_path;
	segment = ring_open(&config);
	assert_int_equal(carry_on(), 3);
	assert_int_equal(lines_of(jsonl_path), 2);
	assert_int_equal(lines_of(elsewhere_path), 3);
}

static void
test_a_file_behind_a_link_is_cut(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	assert_int_equal(mkdir(elsewhere, 0700), 0);
	assert_int_equal(symlink("elsewhere/events.jsonl", jsonl_path), 0);
	publish(&lane, 2);
	assert_int_equal(carry_on(), 2);
	publish(&lane, 3);
	die_in_append(false);
	assert_int_equal(carry_on(), 3);
	assert_int_equal(lines_of(jsonl_path), 5);
	munmap(lane.arena, 2 * lane.arena_bytes);
}

static void
test_a_file_that_is_gone_does_not_stop_the_writer(void **state)
{
	struct lane lane = ring_map(&segment, 0, 0);

	publish(&lane, 3);
	die_in_append(false);
	assert_int_equal(unlink(jsonl_path), 0);
	assert_int_equal(carry_on(), 3);
	assert_int_equal(lines_of(jsonl_path), 3);
	munmap(lane.arena, 2 * lane.arena_bytes);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_an_uncommitted_append_is_cut_off_and_written_again),
	    CASE(test_a_committed_append_is_released_and_not_written_again),
	    CASE(test_a_moved_file_is_cut_in_its_new_place),
	    CASE(test_the_file_at_an_earlier_path_is_cut),
	    CASE(test_a_file_behind_a_link_is_cut),
	    CASE(test_a_file_that_is_gone_does_not_stop_the_writer),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
