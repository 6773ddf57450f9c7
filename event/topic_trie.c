/*
 * Matches topics with a tenant's patterns. topic_trie.h explains the method.
 *
 * In a run of wildcards with a `#`, the stars are moved to the front and the `#`s merged: `#.*.#` becomes `*.#`. So
 * each part of a middle begins with a name, and matching each part at its earliest place is correct.
 *
 * Names are numbered from 1; 0 is the star, so it is always a node's first child.
 */
#include "event/topic_trie.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/name_table.h"
#include "event/topic.h"
#include "event/trie.h"

#define STAR 0u
#define HASH (UINT32_MAX - 1) /* between the parts of a middle */
#define UNKNOWN UINT32_MAX /* a segment of a topic that no pattern names */
#define NO_TAIL UINT32_MAX /* the pattern has no `#` */

/* A pattern: its subscriptions and its middle. */
struct pattern {
	uint32_t first, count; /* in numbers[] */
	uint32_t middle, middle_count; /* in middles[] */
};

/* The patterns with the same head and the same tail. */
struct group {
	uint32_t tail; /* a node of tails, or NO_TAIL */
	uint32_t first; /* in patterns[], up to `first` of the next group */
};

struct topic_trie {
	struct name_table names;
	struct trie heads, tails;
	uint8_t *tail_lengths; /* for each node of tails */
	uint32_t *first_groups; /* for each node of heads: its groups, sorted by tail, up to those of the next node */
	struct group *groups; /* plus one more */
	struct pattern *patterns;
	uint32_t *middles, *numbers;
	uint32_t group_count, pattern_count, middle_count, number_count;
};

/* --- building ---------------------------------------------------------------------------------------------------- */

/* A subscription while the trie is built: three words in one array. */
struct draft {
	uint32_t *segments; /* head, then middle, then the tail backwards */
	uint32_t head_count, middle_count, tail_count;
	uint32_t head, tail; /* nodes */
	uint32_t number;
};

/* Moves the `#` of each run of wildcards after its stars. Returns the new count. */
static uint32_t
normalize(uint32_t *segments, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count;) {
		bool hash = false;

		for (; i < count && (segments[i] == STAR || segments[i] == HASH); i++) {
			if (segments[i] == HASH)
				hash = true;
			else
				segments[kept++] = STAR;
		}
		if (hash)
			segments[kept++] = HASH;
		if (i < count)
			segments[kept++] = segments[i++];
	}
	return kept;
}

static void
reverse(uint32_t *segments, uint32_t count)
{
	for (uint32_t i = 0; i < count / 2; i++) {
		uint32_t other = segments[i];

		segments[i] = segments[count - 1 - i];
		segments[count - 1 - i] = other;
	}
}

static uint32_t
segment_number(const struct topic_trie *trie, struct span segment)
{
	if (segment.len == 1 && segment.base[0] == '*')
		return STAR;
	if (segment.len == 1 && segment.base[0] == '#')
		return HASH;
	return name_table_find(&trie->names, segment) + 1;
}

/* Cuts a pattern and writes its segments to `segments`. Returns their number. */
static uint32_t
draft_pattern(const struct topic_trie *trie, struct span pattern, uint32_t *segments, struct draft *draft)
{
	struct span spans[TOPIC_SEGMENTS_MAX];
	uint32_t count = topic_split(pattern, spans), first = 0, last;

	for (uint32_t i = 0; i < count; i++)
		segments[i] = segment_number(trie, spans[i]);
	count = normalize(segments, count);
	draft->segments = segments;
	while (first < count && segments[first] != HASH)
		first++;
	draft->head_count = first;
	draft->tail = first == count ? NO_TAIL : TRIE_ROOT;
	if (first == count)
		return count;
	for (last = count - 1; segments[last] != HASH; last--)
		;
	draft->tail_count = count - 1 - last;
	reverse(segments + last + 1, draft->tail_count);
	draft->middle_count = last > first ? last - first - 1 : 0;
	/* Remove the first `#`, and the last if that is another one. */
	memmove(segments + first, segments + first + 1, draft->middle_count * sizeof *segments);
	memmove(segments + first + draft->middle_count, segments + last + 1, draft->tail_count * sizeof *segments);
	return first + draft->middle_count + draft->tail_count;
}

static void
build_heads(struct topic_trie *trie, struct draft *drafts, uint32_t count)
{
	struct trie_word *words = mem_new(count + 1, sizeof *words);

	for (uint32_t i = 0; i < count; i++)
		words[i] = (struct trie_word){drafts[i].segments, drafts[i].head_count, i, 0};
	trie_build(&trie->heads, words, count);
	for (uint32_t i = 0; i < count; i++)
		drafts[words[i].tag].head = words[i].node;
	free(words);
}

static void
build_tails(struct topic_trie *trie, struct draft *drafts, uint32_t count)
{
	struct trie_word *words = mem_new(count + 1, sizeof *words);
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++)
		if (drafts[i].tail != NO_TAIL)
			words[used++] =
			    (struct trie_word){drafts[i].segments + drafts[i].head_count + drafts[i].middle_count,
				drafts[i].tail_count, i, 0};
	trie_build(&trie->tails, words, used);
	for (uint32_t i = 0; i < used; i++)
		drafts[words[i].tag].tail = words[i].node;
	free(words);
	trie->tail_lengths = mem_new(trie->tails.count, sizeof *trie->tail_lengths);
	for (uint32_t node = 0; node < trie->tails.count; node++) {
		const struct trie_node *parent = &trie->tails.nodes[node];

		for (uint32_t i = 0; i < parent->count; i++)
			trie->tail_lengths[parent->first + i] = (uint8_t)(trie->tail_lengths[node] + 1);
	}
}

/* Sorts by head, then tail, then middle. */
static int
compare_drafts(const void *one, const void *other)
{
	const struct draft *a = one, *b = other;

	if (a->head != b->head)
		return a->head < b->head ? -1 : 1;
	if (a->tail != b->tail)
		return a->tail < b->tail ? -1 : 1;
	if (a->middle_count != b->middle_count)
		return a->middle_count < b->middle_count ? -1 : 1;
	return memcmp(a->segments + a->head_count, b->segments + b->head_count, a->middle_count * sizeof *a->segments);
}

/* Makes groups, patterns and lists of subscriptions from the sorted drafts. */
static void
build_groups(struct topic_trie *trie, const struct draft *drafts, uint32_t count)
{
	uint32_t next_head = 0;

	trie->numbers = mem_new(count + 1, sizeof *trie->numbers);
	trie->patterns = mem_new(count + 1, sizeof *trie->patterns);
	trie->groups = mem_new(count + 1, sizeof *trie->groups);
	trie->first_groups = mem_new(trie->heads.count + 1, sizeof *trie->first_groups);
	for (uint32_t i = 0; i < count; i++) {
		const struct draft *draft = &drafts[i], *last = i == 0 ? NULL : &drafts[i - 1];
		bool same_group = last != NULL && last->head == draft->head && last->tail == draft->tail;

		while (next_head <= draft->head)
			trie->first_groups[next_head++] = trie->group_count;
		if (!same_group)
			trie->groups[trie->group_count++] = (struct group){draft->tail, trie->pattern_count};
		if (last == NULL || compare_drafts(last, draft) != 0) {
			trie->patterns[trie->pattern_count++] =
			    (struct pattern){i, 0, trie->middle_count, draft->middle_count};
			if (draft->middle_count > 0)
				memcpy(trie->middles + trie->middle_count, draft->segments + draft->head_count,
				    draft->middle_count * sizeof *trie->middles);
			trie->middle_count += draft->middle_count;
		}
		trie->patterns[trie->pattern_count - 1].count++;
		trie->numbers[trie->number_count++] = draft->number;
	}
	while (next_head <= trie->heads.count)
		trie->first_groups[next_head++] = trie->group_count;
	trie->groups[trie->group_count] = (struct group){NO_TAIL, trie->pattern_count};
	trie->groups = mem_resize(trie->groups, trie->group_count + 1, sizeof *trie->groups);
	trie->patterns = mem_resize(trie->patterns, trie->pattern_count + 1, sizeof *trie->patterns);
	trie->middles = mem_resize(trie->middles, trie->middle_count + 1, sizeof *trie->middles);
}

struct topic_trie *
topic_trie_new(const struct topic_subscription *subscriptions, uint32_t count)
{
	struct topic_trie *trie = mem_new(1, sizeof *trie);
	struct draft *drafts = mem_new(count + 1, sizeof *drafts);
	struct span spans[TOPIC_SEGMENTS_MAX];
	size_t segments = 0, used = 0;
	uint32_t *all;

	assert(count <= 1 << 24);
	for (uint32_t i = 0; i < count; i++) {
		unsigned found = topic_split(subscriptions[i].pattern, spans);

		segments += found;
		for (unsigned j = 0; j < found; j++)
			if (spans[j].len > 1 || (spans[j].base[0] != '*' && spans[j].base[0] != '#'))
				name_table_add(&trie->names, spans[j]);
	}
	name_table_seal(&trie->names);
	all = mem_new(segments + 1, sizeof *all);
	trie->middles = mem_new(segments + 1, sizeof *trie->middles);
	for (uint32_t i = 0; i < count; i++) {
		drafts[i].number = subscriptions[i].number;
		used += draft_pattern(trie, subscriptions[i].pattern, all + used, &drafts[i]);
	}
	build_heads(trie, drafts, count);
	build_tails(trie, drafts, count);
	qsort(drafts, count, sizeof *drafts, compare_drafts);
	build_groups(trie, drafts, count);
	free(all);
	free(drafts);
	return trie;
}

void
topic_trie_free(struct topic_trie *trie)
{
	if (trie == NULL)
		return;
	name_table_free(&trie->names);
	trie_free(&trie->heads);
	trie_free(&trie->tails);
	free(trie->tail_lengths);
	free(trie->first_groups);
	free(trie->groups);
	free(trie->patterns);
	free(trie->middles);
	free(trie->numbers);
	free(trie);
}

size_t
topic_trie_bytes(const struct topic_trie *trie)
{
	return sizeof *trie + name_table_bytes(&trie->names) + trie_bytes(&trie->heads) + trie_bytes(&trie->tails) +
	       trie->tails.count * sizeof *trie->tail_lengths + (trie->heads.count + 1) * sizeof *trie->first_groups +
	       (trie->group_count + 1) * sizeof *trie->groups + (trie->pattern_count + 1) * sizeof *trie->patterns +
	       (trie->middle_count + trie->number_count + 2) * sizeof *trie->numbers;
}

/* --- matching ---------------------------------------------------------------------------------------------------- */

/* heads, tails: the nodes reached, level by level. reached: for each node of tails, the last turn that reached it. */
struct topic_match *
topic_match_new(const struct topic_trie *trie)
{
	struct topic_match *match = mem_new(1, sizeof *match);

	match->numbers = mem_new(trie->number_count + 1, sizeof *match->numbers);
	match->heads = mem_new(trie->heads.count, sizeof *match->heads);
	match->tails = mem_new(trie->tails.count, sizeof *match->tails);
	match->reached = mem_new(trie->tails.count, sizeof *match->reached);
	return match;
}

void
topic_match_free(struct topic_match *match)
{
	if (match == NULL)
		return;
	free(match->numbers);
	free(match->heads);
	free(match->tails);
	free(match->reached);
	free(match);
}

/* A topic as numbers. */
struct topic {
	uint32_t segments[TOPIC_SEGMENTS_MAX];
	uint32_t count;
	bool of_service;
};

/* Appends the children of node for the segment and, if star_too, for the star. Returns their number: 0 to 2. */
static uint32_t
follow(const struct trie *trie, uint32_t node, uint32_t segment, bool star_too, uint32_t *to)
{
	const struct trie_node *parent = &trie->nodes[node];
	uint32_t count = 0, child;

	if (parent->count == 0)
		return 0;
	if (star_too && trie->nodes[parent->first].number == STAR)
		to[count++] = parent->first;
	if (segment != UNKNOWN) {
		child = trie_child(trie, node, segment);
		if (child != TRIE_NONE)
			to[count++] = child;
	}
	return count;
}

/* Finds the tails that match the topic's end: match->tails, in ascending order. */
static void
walk_tails(const struct topic_trie *trie, const struct topic *topic, struct topic_match *match)
{
	uint32_t *queue = match->tails, next = 0, end = 1;

	if (++match->turn == 0) {
		memset(match->reached, 0, trie->tails.count * sizeof *match->reached);
		match->turn = 1;
	}
	queue[0] = TRIE_ROOT;
	for (uint32_t left = topic->count; next < end; left--)
		for (uint32_t level_end = end; next < level_end; next++) {
			match->reached[queue[next]] = match->turn;
			if (left > 0)
				end += follow(&trie->tails, queue[next], topic->segments[left - 1], true, queue + end);
		}
	match->tail_count = end;
	match->visited += end;
}

static bool
part_stands_at(const uint32_t *part, uint32_t count, const uint32_t *segments)
{
	for (uint32_t i = 0; i < count; i++)
		if (part[i] != STAR && part[i] != segments[i])
			return false;
	return true;
}

/* Whether the parts of the middle occur in order in segments[0..count). */
static bool
middle_fits(const uint32_t *middle, uint32_t middle_count, const uint32_t *segments, uint32_t count)
{
	const uint32_t *end = middle + middle_count;

	for (uint32_t at = 0; middle < end;) {
		uint32_t part = 0;

		while (middle + part < end && middle[part] != HASH)
			part++;
		while (at + part <= count && !part_stands_at(middle, part, segments + at))
			at++;
		if (at + part > count)
			return false;
		at += part;
		middle += part;
		if (middle < end)
			middle++;
	}
	return true;
}

/* Adds the subscriptions of the group's patterns whose middle matches segments [from, to) of the topic. */
static void
take_group(const struct topic_trie *trie, const struct group *group, const struct topic *topic, uint32_t from,
    uint32_t to, struct topic_match *match)
{
	for (uint32_t i = group[0].first; i < group[1].first; i++) {
		const struct pattern *pattern = &trie->patterns[i];

		match->visited++;
		if (!middle_fits(
			trie->middles + pattern->middle, pattern->middle_count, topic->segments + from, to - from))
			continue;
		memcpy(match->numbers + match->count, trie->numbers + pattern->first,
		    pattern->count * sizeof *match->numbers);
		match->count += pattern->count;
	}
}

/* The index of the tail in groups[low..high), or its insertion point. */
static uint32_t
find_group(const struct group *groups, uint32_t low, uint32_t high, uint32_t tail)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (groups[middle].tail < tail)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds the matching groups of a head reached by the topic's first `depth` segments. */
static void
take_head(
    const struct topic_trie *trie, uint32_t head, uint32_t depth, const struct topic *topic, struct topic_match *match)
{
	uint32_t low = trie->first_groups[head], high = trie->first_groups[head + 1];
	const struct group *groups = trie->groups;

	if (low < high && groups[high - 1].tail == NO_TAIL) {
		high--;
		if (depth == topic->count)
			take_group(trie, &groups[high], topic, depth, depth, match);
	}
	/* Iterate over the shorter list: the groups, or the reached tails. */
	if (high - low <= 2 * match->tail_count) {
		for (; low < high; low++) {
			uint32_t tail = groups[low].tail, length = trie->tail_lengths[tail];

			match->visited++;
			if (match->reached[tail] == match->turn && depth + length <= topic->count)
				take_group(trie, &groups[low], topic, depth, topic->count - length, match);
		}
		return;
	}
	for (uint32_t i = 0; i < match->tail_count && low < high; i++) {
		uint32_t tail = match->tails[i], length = trie->tail_lengths[tail];

		match->visited++;
		low = find_group(groups, low, high, tail);
		if (low < high && groups[low].tail == tail && depth + length <= topic->count)
			take_group(trie, &groups[low], topic, depth, topic->count - length, match);
	}
}

void
topic_trie_match(const struct topic_trie *trie, struct span text, struct topic_match *match)
{
	struct span spans[TOPIC_SEGMENTS_MAX];
	uint32_t *queue = match->heads, next = 0, end = 1;
	struct topic topic = {.count = topic_split(text, spans), .of_service = topic_of_service(text)};

	for (uint32_t i = 0; i < topic.count; i++) {
		uint32_t name = name_table_find(&trie->names, spans[i]);

		topic.segments[i] = name == NAME_NONE ? UNKNOWN : name + 1;
	}
	match->count = match->visited = 0;
	walk_tails(trie, &topic, match);
	queue[0] = TRIE_ROOT;
	for (uint32_t depth = 0; next < end; depth++)
		for (uint32_t level_end = end; next < level_end; next++) {
			bool star_too = depth > 0 || !topic.of_service;

			if (star_too)
				take_head(trie, queue[next], depth, &topic, match);
			if (depth < topic.count)
				end += follow(&trie->heads, queue[next], topic.segments[depth], star_too, queue + end);
		}
	match->visited += end;
}
