/* The courier's heap and its table by id, against plain arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "courier/heap.h"
#include "courier/id_table.h"
#include "tests/unit/lane_fixture.h"

#define THINGS 300u

struct thing {
	struct id_link link;
	struct heap_item item;
	bool is_there;
};

static struct thing things[THINGS];

/* Makes ids that differ only in their last bytes, as the ids of one event's jobs do. */
static void
make_things(void)
{
	for (uint32_t i = 0; i < THINGS; i++) {
		things[i] = (struct thing){0};
		memset(things[i].link.id, 0x17, 16);
		things[i].link.id[14] = (uint8_t)(i >> 8);
		things[i].link.id[15] = (uint8_t)i;
		things[i].item.id = things[i].link.id;
	}
}

/* The first by time, then by id. */
static struct thing *
first_of_all(void)
{
	struct thing *first = NULL;

	for (uint32_t i = 0; i < THINGS; i++)
		if (things[i].is_there && (first == NULL || things[i].item.at < first->item.at))
			first = &things[i];
	return first;
}

static void
test_the_earliest_is_first_and_of_equal_times_the_lower_id(void **state)
{
	struct dice dice = {seed_for("heap")};
	struct heap heap = {0};
	uint32_t left = 0;

	make_things();
	for (uint32_t step = 0; step < 20000; step++) {
		struct thing *thing = &things[dice_below(&dice, THINGS)];

		if (dice_below(&dice, 3) > 0)
			heap_put(&heap, &thing->item, (int64_t)dice_below(&dice, 50) - 25);
		else
			heap_remove(&heap, &thing->item);
		thing->is_there = thing->item.place != 0;
		thing = first_of_all();
		assert_ptr_equal(heap_first(&heap), thing == NULL ? NULL : &thing->item);
	}
	left = heap.count;
	assert_true(left > 0);
	for (struct thing *thing; (thing = first_of_all()) != NULL; left--) {
		assert_ptr_equal(HEAP_ENTRY(heap_first(&heap), struct thing, item), thing);
		heap_remove(&heap, &thing->item);
		thing->is_there = false;
	}
	assert_int_equal(left, 0);
	assert_null(heap_first(&heap));
	assert_null(heap_late(&heap));
	heap_free(&heap);
}

static void
test_a_table_finds_the_things_in_it_and_no_others(void **state)
{
	struct dice dice = {seed_for("id_table")};
	struct id_table table = {0};
	struct id_link **links;
	uint32_t count = 0;

	make_things();
	for (uint32_t step = 0; step < 20000; step++) {
		struct thing *thing = &things[dice_below(&dice, THINGS)];

		assert_ptr_equal(id_table_find(&table, thing->link.id), thing->is_there ? &thing->link : NULL);
		if (thing->is_there)
			id_table_remove(&table, &thing->link);
		else
			id_table_add(&table, &thing->link);
		thing->is_there = !thing->is_there;
	}
	links = id_table_list(&table);
	for (uint32_t i = 0; i < THINGS; i++)
		count += things[i].is_there;
	assert_int_equal(table.count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(((struct thing *)links[i])->is_there);
		((struct thing *)links[i])->is_there = false;
	}
	free(links);
	id_table_free(&table);
}

static void
test_things_with_one_id_are_all_found(void **state)
{
	struct id_table table = {0};
	struct id_link *first, *second;

	make_things();
	memcpy(things[1].link.id, things[0].link.id, 16);
	for (uint32_t i = 0; i < 100; i++)
		id_table_add(&table, &things[i].link);
	first = id_table_find(&table, things[0].link.id);
	second = id_table_next(first);
	assert_true(first != second && (first == &things[0].link || second == &things[0].link));
	assert_true(first == &things[1].link || second == &things[1].link);
	assert_null(id_table_next(second));
	id_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_earliest_is_first_and_of_equal_times_the_lower_id),
	    cmocka_unit_test(test_a_table_finds_the_things_in_it_and_no_others),
	    cmocka_unit_test(test_things_with_one_id_are_all_found),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
