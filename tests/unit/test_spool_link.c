/*
 * A spool that may fail, as the writer's loop uses it. The spool is a real one in a directory; the test sets the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/fake_clock.h"
#include "tests/unit/record_fixture.h"
#include "writer/spool_link.h"
#include "writer/spool_replay.h"

#define ROOM ((uint64_t)8 << 10)

static char data_dir[64], spool_dir[96];
static struct writer_slot slot;
static struct spool_link spool;

static void
begin(uint64_t max_bytes)
{
	const struct spool_options options = {
	    .directory = SPOOL_DIRECTORY, .data_dir = data_dir, .writers = 1, .max_bytes = max_bytes, .slot = &slot};

	spool_link_init(&spool, &options, true);
}

static int
set_up(void **state)
{
	(void)snprintf(data_dir, sizeof data_dir, "/tmp/hooks-test-spool-link-XXXXXX");
	if (mkdtemp(data_dir) == NULL)
		return -1;
	(void)snprintf(spool_dir, sizeof spool_dir, "%s/" SPOOL_DIRECTORY, data_dir);
	memset(&slot, 0, sizeof slot);
	return 0;
}

static int
tear_down(void **state)
{
	spool_link_close(&spool);
	(void)rmdir(spool_dir);
	return rmdir(data_dir);
}

/* Appends an event of so many bytes, and commits it. Returns the result of spool_link_append(). */
static int
append(size_t bytes)
{
	char *data = calloc(bytes + 3, 1);
	struct record *record;

	memset(data, ' ', bytes + 2);
	data[0] = '{';
	data[bytes + 1] = '}';
	record = record_of(&(struct event){.id = 'a', .event_type = "t", .session_id = "s", .data = data});
	const struct record *records[] = {record};
	int rc = spool_link_append(&spool, &(struct batch){records, 1});
	if (rc == 0) {
		ledger_draft(&slot.ledger)->spool_events++;
		ledger_commit(&slot.ledger);
		spool_append_committed(&spool.spool);
	}
	free(record);
	free(data);
	return rc;
}

/* Replays all events. Returns how many there were. */
static uint32_t
replay(void)
{
	uint32_t events = 0;

	while (spool_link_replays(&spool)) {
		assert_int_equal(spool_link_next(&spool), 0);
		events += spool.spool.reader.count;
		spool_draft_replayed(&spool.spool, ledger_draft(&slot.ledger));
		ledger_commit(&slot.ledger);
		spool_link_replayed(&spool);
	}
	return events;
}

static void
events_that_the_spool_takes_are_replayed(void **state)
{
	begin(ROOM);
	assert_int_equal(spool.state, SPOOL_TAKING);
	assert_true(spool_link_takes(&spool) && spool_link_accepts(&spool, true));
	assert_false(spool_link_replays(&spool));
	assert_false(spool_link_found_any(&spool));
	assert_int_equal(append(10), 0);
	assert_int_equal(replay(), 1);
}

static void
a_full_spool_is_tried_again_with_the_waiting_events(void **state)
{
	begin(ROOM);
	assert_int_equal(append(ROOM), -1);
	assert_int_equal(spool.state, SPOOL_FAILING);
	assert_true(spool_link_takes(&spool));
	assert_int_equal(spool.append_at_us, fake_now_us + 500 * MILLISECOND);
	/* Acceptors accept no events while some wait. When none wait, a new event has to try the spool. */
	fake_now_us = spool.append_at_us - 1;
	assert_false(spool_link_accepts(&spool, false));
	fake_now_us++;
	assert_false(spool_link_accepts(&spool, true));
	assert_true(spool_link_accepts(&spool, false));
	assert_int_equal(append(10), 0);
	assert_int_equal(spool.state, SPOOL_TAKING);
	assert_int_equal(replay(), 1);
}

static void
a_failure_of_the_spool_is_forgotten_when_the_store_works(void **state)
{
	begin(ROOM);
	assert_int_equal(append(ROOM), -1);
	spool_link_upkeep(&spool, false);
	assert_int_equal(spool.state, SPOOL_FAILING);
	spool_link_upkeep(&spool, true);
	assert_int_equal(spool.state, SPOOL_TAKING);
}

static void
a_spool_without_room_only_replays(void **state)
{
	begin(ROOM);
	assert_int_equal(append(10), 0);
	spool_link_close(&spool);
	begin(0);
	assert_int_equal(spool.state, SPOOL_REPLAY_ONLY);
	assert_true(spool_link_found_any(&spool));
	assert_false(spool_link_takes(&spool) || spool_link_accepts(&spool, false));
	assert_int_equal(replay(), 1);
}

/* The ledger names an offset at which no record can begin. */
static void
a_damaged_ledger_does_not_stop_the_replay(void **state)
{
	begin(ROOM);
	assert_int_equal(append(10), 0);
	assert_int_equal(spool_link_next(&spool), 0);
	spool_draft_replayed(&spool.spool, ledger_draft(&slot.ledger));
	ledger_commit(&slot.ledger);
	slot.ledger.pages[slot.ledger.current].replayed.done -= 4;
	spool_link_close(&spool);
	begin(ROOM);
	assert_int_equal(replay(), 1);
}

static void
a_spool_that_does_not_open_is_tried_again(void **state)
{
	FILE *file = fopen(spool_dir, "w"); /* a file, where a directory belongs */

	assert_non_null(file);
	(void)fclose(file);
	begin(ROOM);
	assert_int_equal(spool.state, SPOOL_CLOSED);
	assert_false(spool_link_open(&spool) || spool_link_takes(&spool) || spool_link_replays(&spool));
	assert_int_equal(unlink(spool_dir), 0);
	spool_link_upkeep(&spool, false);
	assert_int_equal(spool.state, SPOOL_CLOSED);
	fake_now_us += 5 * SECOND;
	spool_link_upkeep(&spool, false);
	assert_int_equal(spool.state, SPOOL_TAKING);
}

static void
a_removed_file_is_written_again(void **state)
{
	char path[160];

	begin(ROOM);
	spool_link_upkeep(&spool, false);
	assert_int_equal(append(10), 0);
	(void)snprintf(path, sizeof path, "%s/spool-00-000000000001.bin", spool_dir);
	assert_int_equal(unlink(path), 0);
	spool_link_upkeep(&spool, false);
	assert_int_equal(access(path, F_OK), -1);
	fake_now_us += SECOND;
	spool_link_upkeep(&spool, false);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(replay(), 1);
}

static void
a_store_that_keeps_nothing_gets_no_spool(void **state)
{
	const struct spool_options options = {
	    .data_dir = data_dir, .directory = SPOOL_DIRECTORY, .writers = 1, .max_bytes = ROOM, .slot = &slot};

	spool_link_init(&spool, &options, false);
	assert_int_equal(spool.state, SPOOL_UNUSED);
	spool_link_upkeep(&spool, true);
	assert_int_equal(spool.state, SPOOL_UNUSED);
	assert_false(spool_link_open(&spool) || spool_link_takes(&spool) || spool_link_accepts(&spool, false));
}

static void
a_spool_can_be_left_when_its_files_have_all_its_events(void **state)
{
	char aside[128], command[128];

	begin(ROOM);
	assert_true(spool_link_is_recoverable(&spool));
	assert_int_equal(append(10), 0);
	(void)snprintf(command, sizeof command, "rm -r %s", spool_dir);
	assert_int_equal(system(command), 0);
	assert_true(spool_link_is_recoverable(&spool));
	assert_int_equal(access(spool_dir, F_OK), 0);

	(void)snprintf(aside, sizeof aside, "%s.aside", spool_dir);
	assert_int_equal(rename(spool_dir, aside), 0);
	assert_int_equal(close(creat(spool_dir, 0600)), 0);
	assert_false(spool_link_is_recoverable(&spool));
	assert_int_equal(unlink(spool_dir), 0);
	assert_false(spool_link_is_recoverable(&spool)); /* the last try was just now */
	assert_int_equal(rename(aside, spool_dir), 0);
	spool.check_at_us = 0;
	assert_true(spool_link_is_recoverable(&spool));
	assert_int_equal(replay(), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define LINK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	    LINK_TEST(events_that_the_spool_takes_are_replayed),
	    LINK_TEST(a_full_spool_is_tried_again_with_the_waiting_events),
	    LINK_TEST(a_failure_of_the_spool_is_forgotten_when_the_store_works),
	    LINK_TEST(a_spool_without_room_only_replays),
	    LINK_TEST(a_damaged_ledger_does_not_stop_the_replay),
	    LINK_TEST(a_spool_that_does_not_open_is_tried_again),
	    LINK_TEST(a_removed_file_is_written_again),
	    LINK_TEST(a_store_that_keeps_nothing_gets_no_spool),
	    LINK_TEST(a_spool_can_be_left_when_its_files_have_all_its_events),
	};

	return cmocka_run_group_tests_name("spool_link", tests, NULL, NULL);
}
