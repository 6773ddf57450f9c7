/*
 * What a publisher replays while another session keeps the order of an endpoint locked. The spool is a real one in a
 * directory, read in batches of two events. The sink leaves the events of some tenants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/event_fixture.h"
#include "tests/unit/fake_clock.h"
#include "writer/replay.h"
#include "writer/spool_replay.h"

/* The reader (writer/spool_reader.c) takes two events of this size at a time. */
#define PAYLOAD_BYTES ((size_t)3 << 20)
#define ROOM ((uint64_t)1 << 30)

static char data_dir[64], spool_dir[96];
static struct writer_slot slot;
static struct spool_link spool;
static struct replay replay;
static const char *locked; /* the tenants, a letter each */
static char stored[256]; /* tenants and numbers of the stored events: "a1 b2 " */
static uint64_t committed; /* events, as the ledger counts them */
static int64_t turn_us; /* how long a turn takes */

static void
begin(uint64_t max_bytes)
{
	const struct spool_options options = {.directory = SPOOL_DIRECTORY_PUBLISHED,
	    .data_dir = data_dir,
	    .writers = 1,
	    .max_bytes = max_bytes,
	    .slot = &slot};

	spool_link_init(&spool, &options, true);
}

static void
end(void)
{
	spool_link_close(&spool);
	replay_free(&replay);
	replay = (struct replay){.count = 0};
}

static int
set_up(void **state)
{
	(void)snprintf(data_dir, sizeof data_dir, "/tmp/hooks-test-replay-XXXXXX");
	if (mkdtemp(data_dir) == NULL)
		return -1;
	(void)snprintf(spool_dir, sizeof spool_dir, "%s/" SPOOL_DIRECTORY_PUBLISHED, data_dir);
	memset(&slot, 0, sizeof slot);
	stored[0] = '\0';
	committed = 0;
	locked = "";
	turn_us = SECOND;
	begin(ROOM);
	return 0;
}

static int
tear_down(void **state)
{
	end();
	(void)rmdir(spool_dir);
	return rmdir(data_dir);
}

/* Spools events: "a1 b2" is event 1 of tenant a and event 2 of tenant b. */
static void
append(const char *events)
{
	char *payload = calloc(PAYLOAD_BYTES + 1, 1);
	char tenant[2] = "";

	memset(payload, '1', PAYLOAD_BYTES);
	for (const char *event = events; *event != '\0'; event += event[2] == ' ' ? 3 : 2) {
		tenant[0] = event[0];

		struct record *record = published_event(&(struct published_event){
		    .number = (uint32_t)(event[1] - '0'), .tenant_id = tenant, .topic = "t", .payload = payload});
		const struct record *records[] = {record};

		assert_int_equal(spool_link_append(&spool, &(struct batch){records, 1}), 0);
		ledger_draft(&slot.ledger)->spool_events++;
		ledger_commit(&slot.ledger);
		spool_append_committed(&spool.spool);
		free(record);
	}
	free(payload);
}

/* Stores as the sink of published events does: it leaves the events of tenants whose orders are locked. */
static void
store(const struct batch *batch, struct sink_result *result)
{
	*result = (struct sink_result){0};
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct record *record = batch->records[i];
		const char *tenant = record_tenant_name(record).base;

		if (batch->outcomes[i]->result != 0 || strchr(locked, tenant[0]) != NULL)
			continue;
		batch->outcomes[i]->result = PUBLISH_STORED;
		result->stored++;
		(void)sprintf(stored + strlen(stored), "%c%u ", tenant[0], record->event_id[13]);
	}
}

/* Takes so many turns of replay, as writer/loop.c does. */
static void
turns(uint32_t count)
{
	for (; count > 0 && spool_waiting(&spool.spool); count--, fake_now_us += turn_us) {
		struct sink_result result;
		struct ledger_page *draft;

		if (!spool_link_replays(&spool))
			continue;
		assert_int_equal(spool_link_next(&spool), 0);

		struct batch batch;

		replay_begin(&replay, &spool.spool, &batch);
		store(&batch, &result);
		if (!replay_add(&replay, &spool, &batch, &result))
			continue;
		draft = ledger_draft(&slot.ledger);
		committed += replay.sum.stored;
		spool_draft_replayed(&spool.spool, draft);
		draft->spool_events += replay.put_back;
		ledger_commit(&slot.ledger);
		if (replay.put_back > 0)
			spool_append_committed(&spool.spool);
		spool_link_replayed(&spool);
	}
}

static uint64_t
waiting(void)
{
	return ledger_page(&slot.ledger)->spool_events;
}

static void
assert_empty(uint64_t events)
{
	assert_false(spool_waiting(&spool.spool));
	assert_int_equal(waiting(), 0);
	assert_int_equal(committed, events);
}

/* ---- tests ---- */

static void
test_events_after_those_of_a_locked_order_are_stored_and_the_order_is_kept(void **state)
{
	append("a1 a2 b3 a4 b5 b6");
	locked = "a";
	turns(20);
	assert_string_equal(stored, "b3 b5 b6 ");
	assert_int_equal(waiting(), 3);
	locked = "";
	turns(10);
	assert_string_equal(stored, "b3 b5 b6 a1 a2 a4 ");
	assert_empty(6);
}

static void
test_an_order_that_is_unlocked_during_a_replay_is_kept(void **state)
{
	append("a1 a2 a3 a4 a5 b6");
	locked = "a";
	turns(1);
	locked = "";
	turns(20);
	assert_string_equal(stored, "b6 a1 a2 a3 a4 a5 ");
	assert_empty(6);
}

static void
test_events_that_are_spooled_later_are_stored_later(void **state)
{
	append("a1 b2 a3 a4 b5");
	locked = "a";
	turns(20);
	assert_string_equal(stored, "b2 b5 ");
	append("a6 b7 a8 b9");
	turns(30);
	assert_string_equal(stored, "b2 b5 b7 b9 ");
	locked = "";
	turns(20);
	assert_string_equal(stored, "b2 b5 b7 b9 a1 a3 a4 a6 a8 ");
	assert_empty(9);
}

static void
test_a_spool_in_which_all_events_wait_is_rarely_written_again(void **state)
{
	append("a1 a2 a3 a4");
	locked = "a";
	turns(20);

	uint64_t replays = ledger_page(&slot.ledger)->replays;

	/* Events of 12 MiB are put back again after as many seconds at the earliest. */
	turn_us = SECOND / 2;
	turns(10);
	assert_int_equal(ledger_page(&slot.ledger)->replays, replays);
	turns(120);
	assert_true(ledger_page(&slot.ledger)->replays <= replays + 2 * 6);
	locked = "";
	turns(10);
	assert_string_equal(stored, "a1 a2 a3 a4 ");
	assert_empty(4);
}

static void
test_one_order_does_not_wait_for_another_for_ever(void **state)
{
	append("a1 a2 c3 c4 b5");
	locked = "ac";
	turns(20);
	assert_string_equal(stored, "b5 ");
	locked = "a";
	turns(20);
	assert_string_equal(stored, "b5 c3 c4 ");
	locked = "";
	turns(20);
	assert_empty(5);
}

/* A publisher spools new events of locked orders. */
static void
test_a_new_event_of_a_locked_order_does_not_have_the_spool_written_again(void **state)
{
	append("a1 a2 a3 a4");
	locked = "a";
	turns(20);

	uint64_t replays = ledger_page(&slot.ledger)->replays;

	assert_false(replay_moves(&replay, &spool.spool));
	append("a5");
	replay_add_waiting(&replay, 1);
	turn_us = SECOND / 2;
	turns(10);
	assert_int_equal(ledger_page(&slot.ledger)->replays, replays);
	locked = "";
	turns(20);
	assert_string_equal(stored, "a1 a2 a3 a4 a5 ");
	assert_empty(5);
}

/* Another event of the order would come between those that are put back. */
static void
test_no_event_is_spooled_for_an_order_whose_events_are_being_put_back(void **state)
{
	append("a1 a2 a3 a4 b5");
	locked = "a";
	turns(1);
	assert_true(replay_moves(&replay, &spool.spool));
	turns(20);
	assert_false(replay_moves(&replay, &spool.spool));
	locked = "";
	turns(20);
	assert_empty(5);
	assert_false(replay_moves(&replay, &spool.spool));
}

/* As with SPOOL_MAX_BYTES=0. */
static void
test_without_room_all_events_wait_and_none_is_lost(void **state)
{
	append("a1 a2 b3");
	end();
	begin(0);
	locked = "a";
	turns(20);
	assert_string_equal(stored, "");
	assert_int_equal(waiting(), 3);
	locked = "";
	turns(20);
	assert_string_equal(stored, "a1 a2 b3 ");
	assert_empty(3);
}

static void
test_events_that_were_put_back_survive_a_restart(void **state)
{
	append("a1 b2 a3 b4");
	locked = "a";
	turns(20);
	end();
	begin(ROOM);
	locked = "";
	turns(20);
	assert_string_equal(stored, "b2 b4 a1 a3 ");
	assert_empty(4);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_events_after_those_of_a_locked_order_are_stored_and_the_order_is_kept),
	    TEST(test_an_order_that_is_unlocked_during_a_replay_is_kept),
	    TEST(test_events_that_are_spooled_later_are_stored_later),
	    TEST(test_a_spool_in_which_all_events_wait_is_rarely_written_again),
	    TEST(test_one_order_does_not_wait_for_another_for_ever),
	    TEST(test_a_new_event_of_a_locked_order_does_not_have_the_spool_written_again),
	    TEST(test_no_event_is_spooled_for_an_order_whose_events_are_being_put_back),
	    TEST(test_without_room_all_events_wait_and_none_is_lost),
	    TEST(test_events_that_were_put_back_survive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
