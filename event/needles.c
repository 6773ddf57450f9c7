/*
 * Searches for many values at once. See needles.h.
 *
 * A node of the automaton is the longest suffix of the text so far that is a prefix of one of the strings. `shorter`
 * leads to the next shorter such suffix, for a byte without a child. `found` leads to the longest suffix, the node's
 * own text included, that is one of the strings.
 */
#include "event/needles.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/json_char.h"
#include "event/json_string.h"
#include "event/name_table.h"
#include "event/trie.h"

struct state {
	uint32_t shorter; /* a node; the root's is the root */
	uint32_t found; /* a node, or TRIE_NONE */
	uint32_t string; /* the number of the string that ends here, or NAME_NONE */
};

/* Hits are numbered: strings as in the table, then numbers, then false, true and null. */
struct needles {
	struct name_table strings;
	struct trie automaton;
	struct state *states; /* for each node */
	uint64_t starts[4]; /* a bit for each first byte of a string */
	int only_start; /* the first byte of all strings, or -1 if they differ */
	json_number *numbers; /* ascending, unique */
	uint32_t number_count;
	bool others[3]; /* whether false, true and null are wanted */
};

enum other { OTHER_FALSE, OTHER_TRUE, OTHER_NULL };

/* --- building ---------------------------------------------------------------------------------------------------- */

static void
link_states(struct needles *needles)
{
	const struct trie *automaton = &needles->automaton;
	struct state *states = needles->states;

	/* A node's shorter suffix is on a level above, so its links are already set. */
	for (uint32_t node = 0; node < automaton->count; node++) {
		const struct trie_node *parent = &automaton->nodes[node];

		if (states[node].string != NAME_NONE)
			states[node].found = node;
		else
			states[node].found = node == TRIE_ROOT ? TRIE_NONE : states[states[node].shorter].found;
		for (uint32_t child = parent->first; child < parent->first + parent->count; child++) {
			uint32_t number = automaton->nodes[child].number, end = node, next = TRIE_NONE;

			while (end != TRIE_ROOT && next == TRIE_NONE) {
				end = states[end].shorter;
				next = trie_child(automaton, end, number);
			}
			states[child].shorter = next == TRIE_NONE ? TRIE_ROOT : next;
		}
	}
}

static void
build_automaton(struct needles *needles)
{
	const struct name_table *strings = &needles->strings;
	struct trie_word *words = mem_new(strings->count + 1, sizeof *words);
	uint32_t *bytes = mem_new(strings->text.len + 1, sizeof *bytes);

	for (size_t i = 0; i < strings->text.len; i++)
		bytes[i] = (unsigned char)strings->text.base[i];
	for (uint32_t i = 0; i < strings->count; i++)
		words[i] = (struct trie_word){bytes + strings->names[i].at, strings->names[i].len, i, 0};
	trie_build(&needles->automaton, words, strings->count);
	needles->states = mem_new(needles->automaton.count, sizeof *needles->states);
	for (uint32_t node = 0; node < needles->automaton.count; node++)
		needles->states[node].string = NAME_NONE;
	for (uint32_t i = 0; i < strings->count; i++)
		needles->states[words[i].node].string = words[i].tag;
	free(words);
	free(bytes);
	link_states(needles);

	const struct trie_node *root = &needles->automaton.nodes[TRIE_ROOT];

	for (uint32_t child = root->first; child < root->first + root->count; child++) {
		uint32_t byte = needles->automaton.nodes[child].number;

		needles->starts[byte / 64] |= UINT64_C(1) << byte % 64;
	}
	needles->only_start = root->count == 1 ? (int)needles->automaton.nodes[root->first].number : -1;
}

static int
compare_numbers(const void *one, const void *other)
{
	const json_number *a = one, *b = other;

	return (*a > *b) - (*a < *b);
}

/* The index of a number in the array, or of the first number above it. */
static uint32_t
find_number(const struct needles *needles, json_number number)
{
	uint32_t low = 0, high = needles->number_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (needles->numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum other
other_of(enum json_type type, bool truth)
{
	return type == JSON_NULL ? OTHER_NULL : truth ? OTHER_TRUE : OTHER_FALSE;
}

struct needles *
needles_new(struct needle *values, uint32_t count)
{
	struct needles *needles = mem_new(1, sizeof *needles);
	uint32_t numbers = 0;

	needles->numbers = mem_new(count + 1, sizeof *needles->numbers);
	for (uint32_t i = 0; i < count; i++) {
		if (values[i].type == JSON_STRING)
			name_table_add(&needles->strings, values[i].string);
		else if (values[i].type == JSON_NUMBER)
			needles->numbers[numbers++] = values[i].number;
		else
			needles->others[other_of(values[i].type, values[i].number != 0)] = true;
	}
	name_table_seal(&needles->strings);
	if (needles->strings.count > 0)
		build_automaton(needles);
	qsort(needles->numbers, numbers, sizeof *needles->numbers, compare_numbers);
	for (uint32_t i = 0; i < numbers; i++)
		if (i == 0 || needles->numbers[i] != needles->numbers[needles->number_count - 1])
			needles->numbers[needles->number_count++] = needles->numbers[i];

	for (uint32_t i = 0; i < count; i++) {
		if (values[i].type == JSON_STRING)
			values[i].hit = name_table_find(&needles->strings, values[i].string);
		else if (values[i].type == JSON_NUMBER)
			values[i].hit = needles->strings.count + find_number(needles, values[i].number);
		else
			values[i].hit = needles->strings.count + needles->number_count +
					other_of(values[i].type, values[i].number != 0);
	}
	return needles;
}

void
needles_free(struct needles *needles)
{
	if (needles == NULL)
		return;
	name_table_free(&needles->strings);
	trie_free(&needles->automaton);
	free(needles->states);
	free(needles->numbers);
	free(needles);
}

uint32_t
needles_hits(const struct needles *needles)
{
	return needles->strings.count + needles->number_count + 3;
}

size_t
needles_bytes(const struct needles *needles)
{
	return sizeof *needles + name_table_bytes(&needles->strings) + trie_bytes(&needles->automaton) +
	       needles->automaton.count * sizeof *needles->states + needles->number_count * sizeof *needles->numbers;
}

/* --- searching --------------------------------------------------------------------------------------------------- */

uint32_t
needles_find(const struct needles *needles, const struct json *element, char *scratch)
{
	const uint32_t strings = needles->strings.count;
	json_number number;
	uint32_t at;
	size_t len;

	switch (element->type) {
	case JSON_STRING:
		len = strings > 0 ? json_string_decode(element, scratch, RULE_BYTES_MAX) : JSON_STRING_TOO_LONG;
		return len == JSON_STRING_TOO_LONG ? NEEDLE_NONE
						   : name_table_find(&needles->strings, (struct span){scratch, len});
	case JSON_NUMBER:
		if (needles->number_count == 0 ||
		    !json_number_read((struct span){element->text, element->len}, &number))
			return NEEDLE_NONE;
		at = find_number(needles, number);
		return at < needles->number_count && needles->numbers[at] == number ? strings + at : NEEDLE_NONE;
	case JSON_BOOLEAN:
	case JSON_NULL:
		at = other_of(element->type, element->text[0] == 't');
		return needles->others[at] ? strings + needles->number_count + at : NEEDLE_NONE;
	default:
		return NEEDLE_NONE;
	}
}

/* Marks the strings that end at a node. If one is already marked, so are the shorter ones. */
static inline void
mark(const struct needles *needles, uint32_t node, uint64_t *hits, uint64_t turn)
{
	const struct state *states = needles->states;

	for (node = states[node].found; node != TRIE_NONE; node = states[states[node].shorter].found) {
		if (hits[states[node].string] == turn)
			return;
		hits[states[node].string] = turn;
		if (node == TRIE_ROOT)
			return;
	}
}

static inline uint32_t
next_node(const struct needles *needles, uint32_t node, unsigned char byte)
{
	uint32_t next;

	while ((next = trie_child(&needles->automaton, node, byte)) == TRIE_NONE && node != TRIE_ROOT)
		node = needles->states[node].shorter;
	return next == TRIE_NONE ? TRIE_ROOT : next;
}

/* The next byte that begins one of the strings, or end. */
static const char *
next_start(const struct needles *needles, const char *p, const char *end)
{
	if (needles->only_start >= 0) {
		const char *found = memchr(p, needles->only_start, (size_t)(end - p));

		return found == NULL ? end : found;
	}
	while (p < end && (needles->starts[(unsigned char)*p / 64] >> (unsigned char)*p % 64 & 1) == 0)
		p++;
	return p;
}

void
needles_search(const struct needles *needles, const struct json *string, uint64_t *hits, uint64_t turn)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	uint32_t node = TRIE_ROOT;
	bool sanitised = false;

	if (needles->strings.count == 0)
		return;
	mark(needles, TRIE_ROOT, hits, turn);
	if (!string->escapes) {
		while (p < end) {
			if (node == TRIE_ROOT && (p = next_start(needles, p, end)) == end)
				return;
			node = next_node(needles, node, (unsigned char)*p++);
			mark(needles, node, hits, turn);
		}
		return;
	}
	while (p < end) {
		char character[4];
		size_t len = json_char_put(json_char_take(&p, end, &sanitised), character);

		for (size_t i = 0; i < len; i++) {
			node = next_node(needles, node, (unsigned char)character[i]);
			mark(needles, node, hits, turn);
		}
	}
}
