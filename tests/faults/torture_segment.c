/*
 * The segment, whichever call fails: a master has it or gets an error, and events that wait in it wait for the next
 * master.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/faults/torture.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

static struct segment segment;

/* <0: it was refused. Each process has one master: nothing is closed. */
static int
open_segment(uint64_t bytes)
{
	struct config config = ring_config(2, 1, bytes);
	struct error err = {""};
	int rc = segment_open(&segment, &config, &err);

	torture_assert(rc == 0 || err.text[0] != '\0', "nothing said");
	return rc;
}

static void
leave_nothing(struct torture_log *log)
{
}

/* tried[0] is the number of events. */
static void
leave_events(struct torture_log *log)
{
	log->tried[0] = (uint8_t)ring_leave_events();
}

static void
open_it(struct torture_log *log)
{
	struct lane lane;
	struct error err = {""};

	if (open_segment(RING_OLD_BYTES) != 0)
		return;
	/* As a child does. */
	for (uint32_t a = 0; a < segment.counts[ROLE_ACCEPTOR]; a++) {
		lane = segment_lane(&segment, LANES_EVENTS, a, 0);
		torture_assert(segment_map_arena(&segment, &lane, &err) == 0 || err.text[0] != '\0', "silence");
	}
	log->promised[0] = 1;
}

static void
open_it_larger(struct torture_log *log)
{
	log->promised[0] = open_segment(2 * RING_OLD_BYTES) == 0;
}

static void
check(struct torture_log *log)
{
	uint64_t waiting;

	torture_assert(open_segment(RING_OLD_BYTES) == 0, "it does not open");
	waiting = segment_waiting(&segment, BOOKS_EVENTS);
	torture_assert(
	    waiting == log->tried[0], "%llu events wait, not %d", (unsigned long long)waiting, log->tried[0]);
	torture_assert(ring_files_set_aside(NULL, 0) == 0, "a good segment was set aside");
}

static void
a_fresh_one(void **state)
{
	torture(&(struct torture){leave_nothing, open_it, check});
}

static void
one_with_events_is_adopted(void **state)
{
	torture(&(struct torture){leave_events, open_it, check});
}

static void
one_with_events_keeps_its_shape(void **state)
{
	torture(&(struct torture){leave_events, open_it_larger, check});
}

static int
set_up(void **state)
{
	int rc = torture_make_directory(state);

	(void)snprintf(ring_path, 64, "%s/ring", torture_directory);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fresh_one),
	    cmocka_unit_test(one_with_events_is_adopted),
	    cmocka_unit_test(one_with_events_keeps_its_shape),
	};

	return cmocka_run_group_tests(tests, set_up, torture_remove_directory);
}
