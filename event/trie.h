/*
 * A trie over words of numbers, built at once. The children of a node are adjacent, in the order of their numbers:
 *
 *   words 7 / 7 2 / 9 2       nodes   0        root, children 1 and 2
 *                                     1 (7)    child 3, the first word ends here
 *                                     2 (9)    child 4
 *                                     3 (2)    the second word ends here
 *                                     4 (2)    the third
 *
 * Nodes are numbered level by level: a node's number is above its parent's, and if a < b are on the same level, the
 * children of a come before those of b. Pure. Any number of threads may read a built trie.
 */
#ifndef EVENT_TRIE_H
#define EVENT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX

struct trie_node {
	uint32_t number; /* the edge's number from the parent; the root has 0 */
	uint32_t first, count; /* the children */
};

/* All zero is no trie. */
struct trie {
	struct trie_node *nodes;
	uint32_t count;
};

struct trie_word {
	const uint32_t *numbers;
	uint32_t count;
	uint32_t tag; /* for the caller */
	uint32_t node; /* set by trie_build(): the node where the word ends */
};

/*
 * Builds a trie of the words, which it sorts. Words may repeat and may be empty. They have fewer than 2^32 - 1 numbers
 * in all.
 */
void trie_build(struct trie *trie, struct trie_word *words, uint32_t count);

/* The child of node for that number, or TRIE_NONE. A binary search. */
static inline uint32_t
trie_child(const struct trie *trie, uint32_t node, uint32_t number)
{
	const struct trie_node *children = trie->nodes + trie->nodes[node].first;
	uint32_t low = 0, high = trie->nodes[node].count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (children[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < trie->nodes[node].count && children[low].number == number ? trie->nodes[node].first + low
									       : TRIE_NONE;
}

size_t trie_bytes(const struct trie *trie);

void trie_free(struct trie *trie);

#endif
