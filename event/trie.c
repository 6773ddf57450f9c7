/* Builds tries from sorted words, level by level: the words below a node are contiguous. */
#include "event/trie.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct run {
	uint32_t low, high, depth;
};

static int
compare(const void *one, const void *other)
{
	const struct trie_word *a = one, *b = other;

	for (uint32_t i = 0; i < a->count && i < b->count; i++)
		if (a->numbers[i] != b->numbers[i])
			return a->numbers[i] < b->numbers[i] ? -1 : 1;
	return (a->count > b->count) - (a->count < b->count);
}

void
trie_build(struct trie *trie, struct trie_word *words, uint32_t count)
{
	size_t room = 1;
	struct run *runs;

	qsort(words, count, sizeof *words, compare);
	for (uint32_t i = 0; i < count; i++)
		room += words[i].count;
	assert(room < TRIE_NONE);
	runs = mem_new(room, sizeof *runs);
	trie->nodes = mem_new(room, sizeof *trie->nodes);
	trie->count = 1;
	runs[0] = (struct run){0, count, 0};
	for (uint32_t node = 0; node < trie->count; node++) {
		const struct run run = runs[node];
		uint32_t low = run.low;

		while (low < run.high && words[low].count == run.depth)
			words[low++].node = node;
		trie->nodes[node].first = trie->count;
		while (low < run.high) {
			uint32_t number = words[low].numbers[run.depth], high = low;

			while (high < run.high && words[high].numbers[run.depth] == number)
				high++;
			trie->nodes[trie->count] = (struct trie_node){.number = number};
			runs[trie->count++] = (struct run){low, high, run.depth + 1};
			trie->nodes[node].count++;
			low = high;
		}
	}
	free(runs);
	trie->nodes = mem_resize(trie->nodes, trie->count, sizeof *trie->nodes);
}

size_t
trie_bytes(const struct trie *trie)
{
	return trie->count * sizeof *trie->nodes;
}

void
trie_free(struct trie *trie)
{
	free(trie->nodes);
	*trie = (struct trie){0};
}
