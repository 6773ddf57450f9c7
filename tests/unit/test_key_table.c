/* The table of API keys, in the size that the service has: readers find the keys that a writer puts in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/key_table_fixture.h"

static int
find(const struct key_table *table, uint32_t number)
{
	struct api_key found;
	uint8_t hash[SHA256_BYTES];

	hash_of(number, hash);
	return key_table_find(table, hash, &found);
}

static void
put(struct key_writer *writer, uint32_t number, uint32_t version)
{
	struct api_key key = key_of(number, version);

	assert_int_equal(key_writer_put(writer, &key), KEY_PUT);
}

static void
take_away(struct key_writer *writer, uint32_t number)
{
	uint8_t hash[SHA256_BYTES];

	hash_of(number, hash);
	key_writer_remove(writer, hash);
}

static void
test_a_key_is_found_from_its_commit_to_that_of_its_removal(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);

	put(writer, 1, 1);
	assert_int_equal(table_version(table, 1), ABSENT);
	assert_true(key_writer_commit(writer));
	assert_int_equal(table_version(table, 1), 1);
	put(writer, 1, 2);
	assert_int_equal(table_version(table, 1), 1);
	assert_true(key_writer_commit(writer));
	assert_int_equal(table_version(table, 1), 2);
	take_away(writer, 1);
	assert_int_equal(table_version(table, 1), 2);
	assert_true(key_writer_commit(writer));
	assert_int_equal(table_version(table, 1), ABSENT);
	assert_false(key_writer_commit(writer));
	key_writer_close(writer);
}

static void
test_a_key_that_is_put_unchanged_changes_nothing(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);

	put(writer, 1, 1);
	(void)key_writer_commit(writer);
	put(writer, 1, 1);
	assert_false(key_writer_commit(writer));
	assert_int_equal(key_writer_count(writer), 1);
	key_writer_close(writer);
}

static void
test_an_unknown_key_is_unknown_only_after_the_first_load(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);

	assert_int_equal(find(table, 1), KEY_NOT_LOADED);
	put(writer, 2, 1);
	(void)key_writer_commit(writer);
	assert_int_equal(find(table, 1), KEY_NOT_LOADED);
	assert_int_equal(find(table, 2), 0);
	key_writer_set_loaded(writer);
	assert_int_equal(find(table, 1), KEY_UNKNOWN);
	key_table_begin_run(table);
	assert_int_equal(find(table, 1), KEY_NOT_LOADED);
	assert_int_equal(find(table, 2), 0); /* keys of the earlier run stay */
	key_writer_close(writer);
}

static void
test_start_keys_stay_whichever_keys_are_loaded(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);
	struct api_key start = key_of(1, 1), other = key_of(1, 9);

	start.is_start_key = 1;
	assert_int_equal(key_writer_put(writer, &start), KEY_PUT);
	put(writer, 2, 1);
	(void)key_writer_commit(writer);
	key_writer_unmark(writer);
	put(writer, 3, 1);
	assert_int_equal(key_writer_put(writer, &other), KEY_PUT); /* the store also has a key with that hash */
	take_away(writer, 1);
	key_writer_remove_expired(writer, KEY_NEVER);
	put(writer, 3, 1);
	key_writer_sweep(writer, false);
	(void)key_writer_commit(writer);
	assert_int_equal(table_version(table, 1), 1);
	assert_int_equal(table_version(table, 2), ABSENT);
	assert_int_equal(table_version(table, 3), 1);
	assert_int_equal(key_writer_count(writer), 1);
	/* The next run has another start key. */
	key_writer_unmark(writer);
	start = key_of(4, 1);
	start.is_start_key = 1;
	assert_int_equal(key_writer_put(writer, &start), KEY_PUT);
	key_writer_sweep(writer, true);
	(void)key_writer_commit(writer);
	assert_int_equal(table_version(table, 1), ABSENT);
	assert_int_equal(table_version(table, 3), 1);
	assert_int_equal(table_version(table, 4), 1);
	key_writer_close(writer);
}

static void
test_expired_keys_can_be_removed(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);

	put(writer, 1, 10); /* it expires at KEY_NEVER - 10 */
	put(writer, 2, 20);
	key_writer_remove_expired(writer, KEY_NEVER - 20);
	(void)key_writer_commit(writer);
	assert_int_equal(table_version(table, 1), 10);
	assert_int_equal(table_version(table, 2), ABSENT);
	key_writer_close(writer);
}

static void
test_buckets_and_last_use_survive_changes_and_end_with_the_key(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);
	struct api_key key;

	put(writer, 1, 2); /* two events a second */
	(void)key_writer_commit(writer);
	key = key_of(1, 2);
	assert_int_equal(key_table_find(table, key.hash, &key), 0);
	assert_int_equal(key_table_used_ms(table, &key), 0);
	key_table_note_use(table, &key, 1700000000000);
	key_table_note_use(table, &key, 1700000000999); /* the same second */
	assert_int_equal(key_table_charge(table, &key, 2, 0, 1000000), 0);
	put(writer, 1, 3);
	(void)key_writer_commit(writer);
	assert_int_equal(key_table_find(table, key.hash, &key), 0);
	assert_int_equal(key.events_per_second, 3);
	assert_int_equal(key_table_used_ms(table, &key), 1700000000000);
	assert_true(key_table_charge(table, &key, 1, 0, 1000000) > 0); /* the change has not filled the bucket */

	take_away(writer, 1);
	(void)key_writer_commit(writer);
	for (uint32_t number = 2; number < 5; number++)
		put(writer, number, 1);
	(void)key_writer_commit(writer);
	for (uint32_t number = 2; number < 5; number++) {
		hash_of(number, key.hash);
		assert_int_equal(key_table_find(table, key.hash, &key), 0);
		assert_int_equal(key_table_used_ms(table, &key), 0);
		assert_int_equal(key_table_wait_us(table, &key, 1000000), 0);
	}
	key_writer_close(writer);
}

static void
test_a_request_is_charged_in_both_buckets_or_in_none(void **state)
{
	struct key_table *table = table_make();
	struct api_key key = {.slot = 7, .events_per_second = 10, .bytes_per_second = 1000};

	assert_int_equal(key_table_charge(table, &key, 1, 5000, 0), 0); /* the bucket of bytes goes into debt */
	assert_int_equal(key_table_wait_us(table, &key, 0), 4001000);
	for (int i = 0; i < 20; i++)
		assert_int_equal(key_table_charge(table, &key, 1, 1, 0), 4001000);
	assert_int_equal(key_table_charge(table, &key, 9, 1, 4001000), 0); /* the refusals have taken no event */
	key.events_per_second = 0;
	key.bytes_per_second = 0;
	for (int i = 0; i < 20; i++)
		assert_int_equal(key_table_charge(table, &key, 1000, 100000, 0), 0); /* no limit */
}

/* Random changes against a simple model of keys and versions. Now and then a new writer takes over. */
static void
test_random_changes_are_found_as_a_model_has_them(void **state)
{
	enum { NUMBERS = 3000 };
	static uint32_t versions[NUMBERS];
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);
	struct dice dice = {seed_for("key_table")};

	memset(versions, 0xff, sizeof versions);
	for (int round = 0; round < 60; round++) {
		bool damaged;

		for (int i = 0; i < 500; i++) {
			uint32_t number = dice_below(&dice, NUMBERS);

			if (dice_below(&dice, 3) == 0) {
				take_away(writer, number);
				versions[number] = ABSENT;
			} else {
				versions[number] = dice_below(&dice, 5);
				put(writer, number, versions[number]);
			}
		}
		(void)key_writer_commit(writer);
		for (uint32_t number = 0; number < NUMBERS; number++)
			if (table_version(table, number) != versions[number])
				fail_msg("round %d: key %u", round, number);
		if (dice_below(&dice, 4) == 0) {
			key_writer_close(writer);
			writer = key_writer_open(table, &damaged);
			assert_false(damaged);
		}
	}
	key_writer_close(writer);
}

static void
test_the_table_holds_a_hundred_thousand_keys(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);
	struct api_key key = key_of(KEY_TABLE_STORED, 1), start = key_of(KEY_TABLE_STORED + 1, 1);
	uint32_t at = 0, seen = 0;

	for (uint32_t number = 0; number < KEY_TABLE_STORED; number++)
		put(writer, number, 1);
	assert_int_equal(key_writer_put(writer, &key), KEY_TABLE_FULL);
	start.is_start_key = 1;
	assert_int_equal(key_writer_put(writer, &start), KEY_PUT);
	(void)key_writer_commit(writer);
	/* All keys change, although the table has no room for both versions of each. */
	for (uint32_t number = 0; number < KEY_TABLE_STORED; number++)
		put(writer, number, 2);
	(void)key_writer_commit(writer);
	for (uint32_t number = 0; number < KEY_TABLE_STORED; number++)
		if (table_version(table, number) != 2)
			fail_msg("key %u", number);
	assert_int_equal(table_version(table, KEY_TABLE_STORED), ABSENT);
	assert_int_equal(table_version(table, KEY_TABLE_STORED + 1), 1);
	while (key_writer_next(writer, &at, &key))
		seen++;
	assert_int_equal(seen, KEY_TABLE_STORED + 1);
	/* The next runs have other start keys. Until the old ones are removed there are twice as many as usual. */
	for (uint32_t run = 1; run < 3; run++) {
		key_writer_unmark(writer);
		for (uint32_t i = 0; i < KEY_TABLE_START_KEYS; i++) {
			start = key_of(KEY_TABLE_STORED * 2 + 10 * run + i, 1);
			start.is_start_key = 1;
			assert_int_equal(key_writer_put(writer, &start), KEY_PUT);
		}
		key_writer_sweep(writer, true);
		(void)key_writer_commit(writer);
	}
	assert_int_equal(table_version(table, KEY_TABLE_STORED * 2 + 10), ABSENT);
	assert_int_equal(table_version(table, KEY_TABLE_STORED * 2 + 21), 1);
	/* All keys go, and as many others come. */
	key_writer_unmark(writer);
	key_writer_sweep(writer, false);
	for (uint32_t number = KEY_TABLE_STORED + 2; number < 2 * KEY_TABLE_STORED; number++)
		put(writer, number, 1);
	(void)key_writer_commit(writer);
	assert_int_equal(table_version(table, 5), ABSENT);
	assert_int_equal(table_version(table, 2 * KEY_TABLE_STORED - 1), 1);
	key_writer_close(writer);
}

static void
test_a_damaged_table_becomes_empty(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct key_table *table = table_make();
		struct key_writer *writer = key_writer_open(table, NULL);
		uint32_t *page, first = 0;
		bool damaged;

		put(writer, 1, 1);
		put(writer, 2, 1);
		(void)key_writer_commit(writer);
		key_writer_close(writer);
		page = table->pages[table->turn % 2];
		while (page[first] == 0)
			first++;
		switch (kind) {
		case 0:
			page[first] = KEY_TABLE_PLACES + 1;
			break;
		case 1:
			page[(first + 1000) % KEY_TABLE_CELLS] = page[first];
			break;
		case 2:
			table->keys[page[first] - 1].slot = KEY_TABLE_KEYS;
			break;
		default:
			table->keys[page[first] - 1].hash[0] ^= 0x80;
		}
		writer = key_writer_open(table, &damaged);
		assert_true(damaged);
		assert_int_equal(key_writer_count(writer), 0);
		assert_int_equal(table_version(table, 1), ABSENT);
		assert_int_equal(table_version(table, 2), ABSENT);
		put(writer, 3, 1);
		(void)key_writer_commit(writer);
		assert_int_equal(table_version(table, 3), 1);
		key_writer_close(writer);
	}
}

/*
 * Changes all keys but the first, turning pages without a pause. Keys 1 to 9 always exist, keys 10 to 99 come and go.
 */
static void
write_without_pause(struct key_table *table)
{
	struct key_writer *writer = key_writer_open(table, NULL);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t version = 1;; version++) {
		for (uint32_t number = 1; number < 100; number++)
			if (number < 10 || (number + version) % 3 != 0)
				put(writer, number, version);
			else
				take_away(writer, number);
		(void)key_writer_commit(writer);
	}
}

static void
test_a_reader_beside_a_writer_sees_whole_keys_of_growing_versions(void **state)
{
	struct key_table *table = table_make();
	struct key_writer *writer = key_writer_open(table, NULL);
	uint32_t seen[100] = {0}, changes = 0, absent = 0;
	int64_t end_us;
	pid_t child;

	for (uint32_t number = 0; number < 10; number++)
		put(writer, number, 0);
	(void)key_writer_commit(writer);
	key_writer_close(writer);
	child = fork();
	if (child == 0)
		write_without_pause(table);
	end_us = clock_steady_us() + 1000000;
	for (uint32_t i = 0; clock_steady_us() < end_us; i++) {
		uint32_t number = i % 100, version = table_version(table, number);

		if (version == ABSENT) {
			REQUIRE(number >= 10);
			absent++;
			continue;
		}
		REQUIRE(version >= seen[number]);
		changes += version > seen[number];
		seen[number] = version;
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(changes > 100 && absent > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_key_is_found_from_its_commit_to_that_of_its_removal),
	    cmocka_unit_test(test_a_key_that_is_put_unchanged_changes_nothing),
	    cmocka_unit_test(test_an_unknown_key_is_unknown_only_after_the_first_load),
	    cmocka_unit_test(test_start_keys_stay_whichever_keys_are_loaded),
	    cmocka_unit_test(test_expired_keys_can_be_removed),
	    cmocka_unit_test(test_buckets_and_last_use_survive_changes_and_end_with_the_key),
	    cmocka_unit_test(test_a_request_is_charged_in_both_buckets_or_in_none),
	    cmocka_unit_test(test_random_changes_are_found_as_a_model_has_them),
	    cmocka_unit_test(test_the_table_holds_a_hundred_thousand_keys),
	    cmocka_unit_test(test_a_damaged_table_becomes_empty),
	    cmocka_unit_test(test_a_reader_beside_a_writer_sees_whole_keys_of_growing_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
