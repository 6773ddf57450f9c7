/*
 * A writer of the key table is killed at any instruction: readers find every key in its old or its new version, and a
 * successor goes on from there. The table is small here (meson.build), so that every instruction can be tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/key_table_fixture.h"
#include "tests/unit/single_step.h"

enum { NUMBERS = 12 };

struct scene {
	struct key_table *table;
	struct key_writer *writer;
	uint32_t looks, turned;
};

/* Of NUMBERS keys a third stays and a third changes. Of the last third some go and others come. */
static uint32_t
version_before(uint32_t number)
{
	return number < 10 ? 1 : ABSENT;
}

static uint32_t
version_after(uint32_t number)
{
	return number < 4 ? 1 : number < 8 || number >= 10 ? 2 : ABSENT;
}

static void
put(struct key_writer *writer, uint32_t number, uint32_t version)
{
	struct api_key key = key_of(number, version);

	REQUIRE(key_writer_put(writer, &key) == KEY_PUT);
}

static void
change(void *context)
{
	struct scene *scene = context;
	uint8_t hash[SHA256_BYTES];

	for (uint32_t number = 4; number < NUMBERS; number++)
		if (version_after(number) != ABSENT) {
			put(scene->writer, number, version_after(number));
		} else {
			hash_of(number, hash);
			key_writer_remove(scene->writer, hash);
		}
	(void)key_writer_commit(scene->writer);
}

/* Lets a successor go on with a copy of the table that a killed writer would leave. */
static void
succeed(const struct key_table *left)
{
	struct key_table *table = table_make();
	struct key_writer *writer;
	bool damaged;

	memcpy(table, left, sizeof *table);
	writer = key_writer_open(table, &damaged);
	REQUIRE(!damaged);
	for (uint32_t number = 0; number < NUMBERS; number++)
		put(writer, number, 3);
	REQUIRE(key_writer_commit(writer));
	for (uint32_t number = 0; number < NUMBERS; number++)
		REQUIRE(table_version(table, number) == 3);
	key_writer_close(writer);
	REQUIRE(munmap(table, sizeof *table) == 0);
}

static void
look(void *context)
{
	struct scene *scene = context;
	bool after = table_version(scene->table, 4) == 2;

	for (uint32_t number = 0; number < NUMBERS; number++) {
		uint32_t version = table_version(scene->table, number);

		REQUIRE(version == (after ? version_after(number) : version_before(number)));
	}
	scene->turned += after;
	/*
	 * A successor takes a while. It tries one in sixteen instructions, and every one around the turn of the page.
	 */
	if (scene->looks++ % 16 == 0 || scene->turned == 1)
		succeed(scene->table);
}

static void
test_every_instruction_leaves_a_whole_table(void **state)
{
	struct scene scene = {.table = table_make()};
	unsigned long steps;

	scene.writer = key_writer_open(scene.table, NULL);
	for (uint32_t number = 0; number < NUMBERS; number++)
		if (version_before(number) != ABSENT)
			put(scene.writer, number, version_before(number));
	(void)key_writer_commit(scene.writer);
	steps = single_step(change, look, &scene);
	if (steps == 0)
		skip();
	assert_true(steps > 1000);
	assert_true(scene.turned > 0 && scene.turned < scene.looks);
	key_writer_close(scene.writer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_instruction_leaves_a_whole_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
