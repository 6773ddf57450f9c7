/* Shares of a limit while nodes come and go, and learn of each other late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "courier/share.h"
#include "tests/unit/lane_fixture.h"

#define NODES_MOST 6u
#define SETTLE 5
#define LASTS_MOST 4u /* the longest attempt; less than SETTLE */
#define GONE_AFTER 9 /* a node that has left still counts until then */
#define ATTEMPTS_MOST 64u

static void
test_shares_add_up_to_the_limit(void **state)
{
	for (uint32_t nodes = 1; nodes <= 20; nodes++)
		for (uint32_t limit = 1; limit <= 50; limit++) {
			uint32_t sum = 0;

			for (uint32_t rank = 0; rank < nodes; rank++) {
				uint32_t share = share_of(&(struct share_view){nodes, rank}, limit);

				assert_true(share == limit / nodes || share == limit / nodes + 1);
				sum += share;
			}
			assert_int_equal(sum, limit);
		}
	assert_int_equal(share_of(&(struct share_view){0, 0}, 100), 0);
}

/* The new node's number may put it before the others. */
static void
test_no_share_grows_when_a_node_joins(void **state)
{
	for (uint32_t nodes = 1; nodes <= 20; nodes++)
		for (uint32_t limit = 1; limit <= 50; limit++)
			for (uint32_t rank = 0; rank < nodes; rank++)
				for (uint32_t moves = 0; moves < 2; moves++)
					assert_true(share_of(&(struct share_view){nodes + 1, rank + moves}, limit) <=
						    share_of(&(struct share_view){nodes, rank}, limit));
}

static void
test_a_share_grows_late_and_shrinks_at_once(void **state)
{
	struct shares shares = {.view = {4, 0}, .settle_us = SETTLE};

	assert_int_equal(shares_least(&shares, 12), 3);
	assert_false(shares_advance(&shares, 100));
	assert_true(shares_due_us(&shares) == INT64_MAX);
	shares_change(&shares, &(struct share_view){2, 0}, 100);
	assert_true(shares_advance(&shares, 100));
	assert_int_equal(shares_least(&shares, 12), 3);
	assert_int_equal(shares_due_us(&shares), 105);
	shares_change(&shares, &(struct share_view){6, 0}, 102);
	assert_true(shares_advance(&shares, 102));
	assert_int_equal(shares_least(&shares, 12), 2);
	shares_change(&shares, &(struct share_view){2, 0}, 103);
	assert_true(shares_advance(&shares, 105));
	assert_int_equal(shares_least(&shares, 12), 2);
	assert_false(shares_advance(&shares, 106));
	assert_true(shares_advance(&shares, 108));
	assert_int_equal(shares_least(&shares, 12), 6);
	shares_change(&shares, &(struct share_view){1, 0}, 110); /* this node is alone */
	assert_true(shares_advance(&shares, 110));
	assert_int_equal(shares_least(&shares, 12), 12);
}

static void
test_many_changes_at_once_keep_the_smallest_share(void **state)
{
	struct shares shares = {.view = {4, 0}, .settle_us = SETTLE};

	for (uint32_t i = 0; i < 3 * SHARES_BEFORE; i++)
		shares_change(&shares, &(struct share_view){2 + i % 3, 0}, 100);
	assert_int_equal(shares_least(&shares, 12), 3);
	assert_true(shares_advance(&shares, 100 + SETTLE));
	assert_int_equal(shares.before_count, 0);
}

static void
test_a_limit_that_cannot_be_divided_is_leased(void **state)
{
	struct shares shares = {.view = {1, 0}, .settle_us = SETTLE};

	assert_false(share_needs_lease(&shares.view, 1, true));
	shares_change(&shares, &(struct share_view){3, 0}, 100);
	assert_true(share_needs_lease(&shares.view, 2, false));
	assert_false(share_needs_lease(&shares.view, 3, false));
	assert_true(share_needs_lease(&shares.view, 3, true));
	assert_false(shares_lease_settled(&shares, 2, false));
	(void)shares_advance(&shares, 105);
	assert_true(shares_lease_settled(&shares, 2, false));
	assert_false(shares_lease_settled(&shares, 3, false));
	shares_change(&shares, &(struct share_view){4, 0}, 200);
	assert_true(shares_lease_settled(&shares, 2, false));
	assert_false(shares_lease_settled(&shares, 3, false)); /* it has been divided until now */
}

static void
test_shares_wait_for_the_node_that_had_the_whole_limit(void **state)
{
	struct shares shares = {.view = {5, 1}, .settle_us = SETTLE};

	shares_change(&shares, &(struct share_view){4, 1}, 100);
	assert_int_equal(shares_least(&shares, 4), 0); /* the node that had the whole limit may have four under way */
	assert_int_equal(shares_least(&shares, 5), 1);
	(void)shares_advance(&shares, 100 + SETTLE);
	assert_int_equal(shares_least(&shares, 4), 1);
	shares_change(&shares, &(struct share_view){5, 1}, 200);
	shares_change(&shares, &(struct share_view){1, 0}, 201);
	assert_int_equal(shares_least(&shares, 4), 4);
}

/* ---- nodes that come and go ---- */

struct model_node {
	bool there; /* its row exists and no other node has adopted it */
	bool joined, left;
	int64_t left_at, came_at, looked_at;
	struct share_view told;
	struct shares shares;
	uint32_t attempts;
	int64_t ends[ATTEMPTS_MOST];
};

static struct model_node nodes[NODES_MOST];

static struct share_view
view_of(uint32_t number)
{
	struct share_view view = {0, 0};

	for (uint32_t i = 0; i < NODES_MOST; i++) {
		view.nodes += nodes[i].there;
		view.rank += nodes[i].there && i < number;
	}
	return view;
}

static bool
others_know(uint32_t number)
{
	for (uint32_t i = 0; i < NODES_MOST; i++)
		if (i != number && nodes[i].there && !nodes[i].left && nodes[i].looked_at <= nodes[number].came_at)
			return false;
	return true;
}

static void
look(uint32_t number, int64_t now)
{
	struct model_node *node = &nodes[number];
	struct share_view view = view_of(number);

	node->joined = node->joined || others_know(number);
	node->looked_at = now;
	if (!node->joined || memcmp(&view, &node->told, sizeof view) == 0)
		return;
	node->told = view;
	shares_change(&node->shares, &view, now);
}

/* New nodes get the numbers of nodes that are gone. */
static void
come_or_go(struct dice *dice, int64_t now)
{
	struct model_node *node = &nodes[dice_below(dice, NODES_MOST)];

	if (!node->there)
		*node = (struct model_node){
		    .there = true, .came_at = now, .looked_at = now, .shares = {.settle_us = SETTLE}};
	else if (!node->left && dice_below(dice, 2) == 0) {
		node->left = true;
		node->left_at = now;
	}
}

static void
end_attempts(struct model_node *node, int64_t now)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < node->attempts; i++)
		if (node->ends[i] > now)
			node->ends[left++] = node->ends[i];
	node->attempts = left;
}

static void
begin_attempts(struct model_node *node, struct dice *dice, uint32_t limit, int64_t now)
{
	(void)shares_advance(&node->shares, now);
	while (!node->left && node->attempts < shares_least(&node->shares, limit))
		node->ends[node->attempts++] = now + 1 + dice_below(dice, LASTS_MOST);
}

/* Every node begins as many attempts as it may. Returns the sum of attempts under way over all steps. */
static uint64_t
run(struct dice *dice, uint32_t limit, uint32_t steps, bool changes)
{
	uint64_t sum = 0;

	for (int64_t now = 1; now <= steps; now++) {
		uint32_t under_way = 0;

		if (changes && dice_below(dice, 4) == 0)
			come_or_go(dice, now);
		for (uint32_t i = 0; i < NODES_MOST; i++) {
			struct model_node *node = &nodes[i];

			if (node->there && node->left && now - node->left_at > GONE_AFTER)
				*node = (struct model_node){0};
			end_attempts(node, now);
			if (node->there && !node->left && dice_below(dice, 2) == 0)
				look(i, now);
			if (node->there)
				begin_attempts(node, dice, limit, now);
		}
		for (uint32_t i = 0; i < NODES_MOST; i++)
			under_way += nodes[i].attempts;
		assert_true(under_way <= limit);
		sum += under_way;
	}
	return sum;
}

static void
test_all_nodes_together_never_exceed_the_limit(void **state)
{
	struct dice dice = {seed_for("share")};

	for (uint32_t round = 0; round < 200; round++) {
		uint32_t limit = 1 + dice_below(&dice, 50);

		memset(nodes, 0, sizeof nodes);
		(void)run(&dice, limit, 1000, true);
	}
}

static void
test_nodes_that_stay_use_the_whole_limit(void **state)
{
	struct dice dice = {seed_for("share")};

	memset(nodes, 0, sizeof nodes);
	for (uint32_t i = 0; i < 4; i++)
		nodes[i] = (struct model_node){.there = true, .shares = {.settle_us = SETTLE}};
	(void)run(&dice, 10, 100, false);
	assert_int_equal(nodes[0].attempts + nodes[1].attempts + nodes[2].attempts + nodes[3].attempts, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shares_add_up_to_the_limit),
	    cmocka_unit_test(test_no_share_grows_when_a_node_joins),
	    cmocka_unit_test(test_a_share_grows_late_and_shrinks_at_once),
	    cmocka_unit_test(test_many_changes_at_once_keep_the_smallest_share),
	    cmocka_unit_test(test_a_limit_that_cannot_be_divided_is_leased),
	    cmocka_unit_test(test_shares_wait_for_the_node_that_had_the_whole_limit),
	    cmocka_unit_test(test_all_nodes_together_never_exceed_the_limit),
	    cmocka_unit_test(test_nodes_that_stay_use_the_whole_limit),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
