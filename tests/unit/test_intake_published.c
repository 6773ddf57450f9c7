/* A publisher's side of its lanes: events that are done while others of the same lane are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "shm/counters.h"
#include "shm/settle.h"
#include "tests/unit/event_fixture.h"
#include "tests/unit/segment_fixture.h"
#include "writer/intake.h"

#define PARCELS 3u /* of two events each */

static struct segment segment;
static struct lane lane;
static struct intake intake;
static struct ledger *ledger;

static void
publish(uint32_t number)
{
	const struct published_event event = {.number = number, .topic = "t"};
	struct record *record = published_event(&event);
	size_t available, each = sizeof(struct publish_outcome) + record->length;
	char *out = lane_reserve(&lane, &available);

	assert_true(available >= 2 * each);
	memset(out, 0, 2 * each);
	for (uint32_t i = 0; i < 2; i++)
		memcpy(out + i * each + sizeof(struct publish_outcome), record, record->length);
	(void)lane_publish(&lane, 2 * each, 2, LANE_AWAITED);
	free(record);
}

static void
commit_and_settle(void)
{
	ledger_commit(ledger);
	settle_lanes(&segment, ROLE_PUBLISHER, 0);
}

/* Three parcels wait: the second one is done, and the first one in part. */
static int
set_up(void **state)
{
	struct config config = ring_config(1, 1, 64 << 20);
	struct error err;

	(void)ring_remove(NULL);
	config.hl_store = HL_STORE_EMBEDDED;
	config.hl_publishers = config.hl_couriers = 1;
	config.hl_ring_bytes = 8 << 20;
	segment = ring_open(&config);
	assert_int_equal(intake_open(&intake, &segment, ROLE_PUBLISHER, 0, &err), 0);
	lane = intake.lanes[0];
	ledger = &segment_writer(&segment, ROLE_PUBLISHER, 0)->ledger;
	for (uint32_t i = 0; i < PARCELS; i++)
		publish(i);
	assert_true(intake_gather(&intake));
	assert_int_equal(intake.count, 2 * PARCELS);
	for (uint32_t i = 0; i < 2 * PARCELS; i++)
		assert_int_equal(intake.requests[i], i / 2);
	*intake.outcomes[0] = (struct publish_outcome){.result = PUBLISH_STORED, .fresh = 1};
	*intake.outcomes[2] = (struct publish_outcome){.result = PUBLISH_STORED, .fresh = 1};
	*intake.outcomes[3] = (struct publish_outcome){.result = PUBLISH_KNOWN};
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle();
	return 0;
}

static int
end(void **state)
{
	intake_close(&intake);
	assert_int_equal(munmap(intake.lanes[0].arena, 2 * lane.arena_bytes), 0);
	ring_close(&segment);
	return ring_remove(NULL);
}

static void
assert_books(uint64_t stored, uint64_t duplicates, uint64_t discarded)
{
	const struct ledger_page *page = ledger_page(ledger);

	assert_int_equal(page->counters[COUNTER_STORED], stored);
	assert_int_equal(page->counters[COUNTER_DUPLICATES], duplicates);
	assert_int_equal(page->counters[COUNTER_DISCARDED], discarded);
}

static void
test_a_parcel_is_finished_although_earlier_ones_are_not(void **state)
{
	assert_int_equal(lane_depth(&lane), PARCELS);
	assert_int_equal(lane_flags(&lane, 1), LANE_AWAITED | LANE_IN_DOUBT);
	assert_int_equal(lane_flags(&lane, 2), LANE_AWAITED | LANE_FINISHED);
	assert_int_equal(lane_flags(&lane, 3), LANE_AWAITED);
	assert_books(0, 0, 0); /* events in a lane count as waiting only */
	assert_int_equal(segment_waiting(&segment, BOOKS_MESSAGES), 2 * PARCELS);
}

static void
test_unfinished_events_are_gathered_again_and_finished_ones_count_at_their_release(void **state)
{
	assert_true(intake_gather(&intake));
	/* Requests are numbered without gaps, so that each number is below the number of records. */
	for (uint32_t i = 0; i < 2 * (PARCELS - 1); i++)
		assert_int_equal(intake.requests[i], i / 2);
	assert_int_equal(intake.count, 4);
	assert_int_equal(intake.outcomes[0]->result, PUBLISH_STORED);
	*intake.outcomes[1] = (struct publish_outcome){.result = PUBLISH_STORED};
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle();
	assert_int_equal(lane_depth(&lane), 1);
	assert_books(2, 2, 0);
	assert_true(intake_gather(&intake));
	assert_int_equal(intake.count, 2);
	*intake.outcomes[0] = *intake.outcomes[1] = (struct publish_outcome){.result = PUBLISH_TOO_MANY};
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle();
	assert_int_equal(lane_depth(&lane), 0);
	assert_books(2, 2, 2);
}

static void
test_a_successor_knows_which_events_are_done(void **state)
{
	struct intake successor;
	struct error err;

	assert_int_equal(intake_open(&successor, &segment, ROLE_PUBLISHER, 0, &err), 0);
	assert_true(intake_gather(&successor));
	assert_int_equal(successor.count, 4);
	assert_int_equal(successor.outcomes[0]->result, PUBLISH_STORED);
	assert_int_equal(munmap(successor.lanes[0].arena, 2 * lane.arena_bytes), 0);
	intake_close(&successor);
}

static void
test_events_that_are_done_are_not_spooled(void **state)
{
	assert_true(intake_gather(&intake));
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_SPOOLED);
	commit_and_settle();
	assert_int_equal(lane_depth(&lane), 0);
	assert_books(1, 1, 0);
}

static void
test_events_that_are_done_are_not_refused(void **state)
{
	assert_int_equal(intake_draft_refusals(&intake, ledger_draft(ledger), true), 4);
	commit_and_settle();
	assert_int_equal(lane_flags(&lane, 1), LANE_AWAITED | LANE_IN_DOUBT | LANE_DISMISSED);
	assert_int_equal(lane_flags(&lane, 2), LANE_AWAITED | LANE_FINISHED);
	assert_int_equal(lane_flags(&lane, 3), LANE_AWAITED | LANE_REFUSED);
	assert_books(0, 0, 2);
}

/* Otherwise a drain would wait, until the store is back, for parcels of which nothing is left to store. */
static void
test_events_that_are_done_are_released_with_refused_ones_before_them_and_count_once(void **state)
{
	lane_set_flag(&lane, 1, LANE_IN_DOUBT, false);
	assert_int_equal(intake_draft_refusals(&intake, ledger_draft(ledger), true), 4);
	commit_and_settle();
	assert_int_equal(lane_depth(&lane), 0);
	assert_books(1, 1, 4);
	assert_int_equal(segment_waiting(&segment, BOOKS_MESSAGES), 0);
	assert_int_equal(intake_draft_refusals(&intake, ledger_draft(ledger), true), 0);
	commit_and_settle();
	assert_books(1, 1, 4);
}

/*
 * Another session has locked the order of the first parcel's second event. The second parcel is done, the third is new.
 */
static void
pass_over_first(void)
{
	assert_true(intake_gather(&intake));
	intake.outcomes[1]->waits = 1;
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle();
	assert_true(intake.waits);
	assert_true(intake_gather_waiting(&intake));
	assert_int_equal(intake.count, 2);
}

static void
test_events_that_wait_for_a_locked_order_are_spooled_and_newer_ones_are_not(void **state)
{
	pass_over_first();
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_SPOOLED);
	commit_and_settle();
	assert_int_equal(lane_released(&lane), 2);
	assert_int_equal(lane_flags(&lane, 1) & LANE_SPOOLED, LANE_SPOOLED);
	assert_books(1, 1, 0);
	assert_true(intake_gather(&intake));
	assert_int_equal(intake.count, 2);
	*intake.outcomes[0] = *intake.outcomes[1] = (struct publish_outcome){.result = PUBLISH_STORED, .fresh = 1};
	intake_draft_release(&intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle();
	assert_false(intake.waits);
	assert_false(intake_gather_waiting(&intake));
	assert_books(3, 1, 0);
}

static void
test_events_that_wait_for_a_locked_order_are_refused_and_newer_ones_are_not(void **state)
{
	pass_over_first();
	lane_set_flag(&lane, 1, LANE_IN_DOUBT, false);
	assert_int_equal(intake_draft_refusals(&intake, ledger_draft(ledger), false), 2);
	commit_and_settle();
	assert_int_equal(lane_released(&lane), 2);
	assert_int_equal(lane_flags(&lane, 1) & LANE_REFUSED, LANE_REFUSED);
	assert_int_equal(lane_flags(&lane, 3), LANE_AWAITED);
	assert_books(1, 1, 2);
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_parcel_is_finished_although_earlier_ones_are_not),
	    TEST(test_unfinished_events_are_gathered_again_and_finished_ones_count_at_their_release),
	    TEST(test_a_successor_knows_which_events_are_done),
	    TEST(test_events_that_are_done_are_not_spooled),
	    TEST(test_events_that_are_done_are_not_refused),
	    TEST(test_events_that_are_done_are_released_with_refused_ones_before_them_and_count_once),
	    TEST(test_events_that_wait_for_a_locked_order_are_spooled_and_newer_ones_are_not),
	    TEST(test_events_that_wait_for_a_locked_order_are_refused_and_newer_ones_are_not),
	};

	return cmocka_run_group_tests_name("intake_published", tests, ring_make_directory, ring_remove_directory);
}
