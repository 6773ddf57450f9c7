/* The trie of a tenant's patterns against a plain matcher, and the cost of the worst topics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/topic.h"
#include "event/topic_trie.h"
#include "tests/unit/lane_fixture.h"

#define PATTERNS_MAX 200

static struct span
text_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* --- the plain matcher: one row of a table for each segment of the pattern ---------------------------------------- */

static bool
is(struct span segment, const char *text)
{
	return segment.len == strlen(text) && memcmp(segment.base, text, segment.len) == 0;
}

static bool
matches(struct span pattern, struct span topic)
{
	struct span p[TOPIC_SEGMENTS_MAX], t[TOPIC_SEGMENTS_MAX];
	unsigned pn = topic_split(pattern, p), tn = topic_split(topic, t);
	bool rows[2][TOPIC_SEGMENTS_MAX + 1] = {{true}}; /* whether the pattern so far matches the first n segments */

	if (topic_of_service(topic) && (p[0].len != t[0].len || memcmp(p[0].base, t[0].base, t[0].len) != 0))
		return false;
	for (unsigned i = 0; i < pn; i++) {
		const bool *before = rows[i % 2];
		bool *now = rows[(i + 1) % 2];

		for (unsigned n = 0; n <= tn; n++) {
			if (is(p[i], "#"))
				now[n] = before[n] || (n > 0 && now[n - 1]);
			else if (n == 0)
				now[n] = false;
			else
				now[n] = before[n - 1] &&
					 (is(p[i], "*") || (p[i].len == t[n - 1].len &&
							       memcmp(p[i].base, t[n - 1].base, p[i].len) == 0));
		}
	}
	return rows[pn % 2][tn];
}

/* Both must agree on every pattern, and report each number once. */
static void
compare(const struct topic_trie *trie, struct topic_match *match, const struct topic_subscription *all, uint32_t count,
    struct span topic)
{
	static uint8_t found[1 << 17];

	memset(found, 0, sizeof found);
	topic_trie_match(trie, topic, match);
	for (uint32_t i = 0; i < match->count; i++)
		found[match->numbers[i]]++;
	for (uint32_t i = 0; i < count; i++)
		if (found[all[i].number] != matches(all[i].pattern, topic))
			fail_msg("%.*s, %.*s: %u times", (int)all[i].pattern.len, all[i].pattern.base, (int)topic.len,
			    topic.base, found[all[i].number]);
}

/* --- examples ---------------------------------------------------------------------------------------------------- */

static const struct example {
	const char *pattern, *topic;
	bool match;
} examples[] = {
    {"order.created", "order.created", true},
    {"order.created", "order.created.eu", false},
    {"order.created", "order", false},
    {"*", "order", true},
    {"*", "order.created", false},
    {"order.*", "order.created", true},
    {"order.*", "order", false},
    {"order.*.eu", "order.created.eu", true},
    {"#", "order.created.eu", true},
    {"order.#", "order", true},
    {"order.#", "order.created.eu", true},
    {"order.#", "orders.created", false},
    {"#.eu", "eu", true},
    {"#.eu", "order.eu.de", false},
    {"a.#.b", "a.b", true},
    {"a.#.a", "a", false},
    {"a.#.a", "a.a", true},
    {"a.#.b.#.c", "a.x.b.y.c", true},
    {"a.#.b.#.c", "a.x.c.y.b", false},
    {"#.b.#.b.#", "b", false},
    {"#.b.#.b.#", "b.b", true},
    {"#.*", "a", true},
    {"*.#", "a.b", true},
    {"#.*.#.*", "a", false},
    {"#.*.#.*", "a.b", true},
    {"#.a.*.b.#", "a.a.x.b", true},
    {"#.a.*.b.#", "a.b.a", false},
    {"#.#.#", "a", true},
    {"#", "deliveries.failed", false},
    {"*.failed", "deliveries.failed", false},
    {"deliveries.#", "deliveries.failed", true},
    {"hookline.*.disabled", "hookline.endpoint.disabled", true},
    {"#", "hookline.mine", true},
    {"\xc3\xa4.*", "\xc3\xa4.\xc3\xb6", true},
};

static void
test_patterns_match_as_documented(void **state)
{
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		struct topic_subscription one = {text_of(examples[i].pattern), 7};
		struct topic_trie *trie = topic_trie_new(&one, 1);
		struct topic_match *match = topic_match_new(trie);

		topic_trie_match(trie, text_of(examples[i].topic), match);
		if (match->count != examples[i].match || (match->count == 1 && match->numbers[0] != 7))
			fail_msg("%s, %s: %u", examples[i].pattern, examples[i].topic, match->count);
		assert_int_equal(matches(one.pattern, text_of(examples[i].topic)), examples[i].match);
		topic_match_free(match);
		topic_trie_free(trie);
	}
}

static void
test_a_tenant_without_subscriptions_matches_nothing(void **state)
{
	struct topic_trie *trie = topic_trie_new(NULL, 0);
	struct topic_match *match = topic_match_new(trie);

	topic_trie_match(trie, text_of("order.created"), match);
	assert_int_equal(match->count, 0);
	topic_match_free(match);
	topic_trie_free(trie);
}

/* --- properties -------------------------------------------------------------------------------------------------- */

/* Makes a text of few different segments, so that many patterns match. Returns the end. */
static char *
make_text(struct dice *dice, char *to, const char *const words[], uint32_t count, uint32_t segments_max)
{
	uint32_t segments = 1 + dice_below(dice, segments_max);

	for (uint32_t i = 0; i < segments; i++) {
		if (i > 0)
			*to++ = '.';
		to = stpcpy(to, words[dice_below(dice, count)]);
	}
	return to;
}

static void
test_random_patterns_match_as_a_plain_matcher_does(void **state)
{
	static const char *const words[] = {"a", "b", "hooks", "*", "#", "#"};
	static char texts[PATTERNS_MAX][64];
	struct topic_subscription all[PATTERNS_MAX];
	struct dice dice = {seed_for("random patterns")};
	uint64_t matched = 0;

	for (unsigned round = 0; round < 300; round++) {
		uint32_t count = 1 + dice_below(&dice, PATTERNS_MAX), longest = 1 + dice_below(&dice, 8);
		struct topic_trie *trie;
		struct topic_match *match;

		for (uint32_t i = 0; i < count; i++) {
			(void)make_text(&dice, texts[i], words, 6, longest);
			all[i] = (struct topic_subscription){text_of(texts[i]), count - 1 - i};
		}
		trie = topic_trie_new(all, count);
		match = topic_match_new(trie);
		for (unsigned i = 0; i < 50; i++) {
			char topic[64];

			(void)make_text(&dice, topic, words, dice_below(&dice, 8) == 0 ? 3 : 2, longest + 2);
			compare(trie, match, all, count, text_of(topic));
			matched += match->count;
		}
		topic_match_free(match);
		topic_trie_free(trie);
	}
	assert_true(matched > 10000);
}

/* After 2^32 matches the marks of reached tails begin anew. */
static void
test_matches_are_right_when_the_turn_wraps_around(void **state)
{
	struct topic_subscription all[] = {{text_of("#.a"), 0}, {text_of("#.b"), 1}, {text_of("#.c.#"), 2}};
	struct topic_trie *trie = topic_trie_new(all, 3);
	struct topic_match *match = topic_match_new(trie);

	match->turn = UINT32_MAX - 2;
	for (unsigned i = 0; i < 6; i++) {
		compare(trie, match, all, 3, text_of("x.a"));
		compare(trie, match, all, 3, text_of("c.b"));
	}
	topic_match_free(match);
	topic_trie_free(trie);
}

static void
test_70000_subscriptions_match_one_topic(void **state)
{
	static const char *const patterns[] = {"order.created", "order.*", "#", "*.#", "order.#.created", "#.order.#"};
	const uint32_t count = 70000;
	struct topic_subscription *all = calloc(count, sizeof *all);
	struct topic_trie *trie;
	struct topic_match *match;

	assert_non_null(all);
	for (uint32_t i = 0; i < count; i++)
		all[i] = (struct topic_subscription){text_of(patterns[i % 6]), i};
	trie = topic_trie_new(all, count);
	match = topic_match_new(trie);
	compare(trie, match, all, count, text_of("order.created"));
	assert_int_equal(match->count, count);
	compare(trie, match, all, count, text_of("order.paid"));
	assert_int_equal(match->count, count - 11667 - 11666); /* four of the six patterns */
	topic_match_free(match);
	topic_trie_free(trie);
	free(all);
}

/* With a state for each `#` these patterns would keep 10,000 * 60 states alive. */
static void
test_the_worst_patterns_are_visited_once_each(void **state)
{
	const uint32_t count = 10000;
	struct topic_subscription *all = calloc(count, sizeof *all);
	char(*texts)[TOPIC_CHARS_MAX + 1] = calloc(count, sizeof *texts), topic[TOPIC_CHARS_MAX + 1], *end = topic;
	struct dice dice = {seed_for("worst patterns")};
	struct topic_trie *trie;
	struct topic_match *match;

	assert_true(all != NULL && texts != NULL);
	for (uint32_t i = 0; i < count; i++) {
		char *to = stpcpy(texts[i], "#");

		for (uint32_t j = 0; j < 60; j++)
			to = stpcpy(stpcpy(to, dice_below(&dice, 2) == 0 ? ".a" : ".b"), i % 2 == 0 ? ".#" : ".*");
		all[i] = (struct topic_subscription){text_of(texts[i]), i};
	}
	for (uint32_t i = 0; i < TOPIC_SEGMENTS_MAX; i++)
		end = stpcpy(end, i == 0 ? "a" : i % 2 == 0 ? ".a" : ".b");
	trie = topic_trie_new(all, count);
	match = topic_match_new(trie);
	topic_trie_match(trie, text_of(topic), match);
	assert_in_range(match->visited, 1, 600000 + 3 * count);
	compare(trie, match, all, count, text_of(topic));
	topic_match_free(match);
	topic_trie_free(trie);
	free(texts);
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_patterns_match_as_documented),
	    cmocka_unit_test(test_a_tenant_without_subscriptions_matches_nothing),
	    cmocka_unit_test(test_random_patterns_match_as_a_plain_matcher_does),
	    cmocka_unit_test(test_matches_are_right_when_the_turn_wraps_around),
	    cmocka_unit_test(test_70000_subscriptions_match_one_topic),
	    cmocka_unit_test(test_the_worst_patterns_are_visited_once_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
