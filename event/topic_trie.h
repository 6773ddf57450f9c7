/*
 * The patterns of one tenant's subscriptions, built once for many topics.
 *
 * A pattern is cut at its `#`s: what stands before the first is its head, what stands behind the last its tail, the
 * rest its middle. Heads are in a trie that a topic walks from its first segment on, tails in one that it walks from
 * its last segment back. A pattern with `#` matches when both walks reach it, head and tail do not overlap, and the
 * parts of the middle stand in the segments between, one behind the other.
 *
 *   order.*.#.eu.#.created    head order.*    middle eu    tail created
 *
 * So a topic visits each node of the two tries at most once and each pattern at most once, whatever the patterns are
 * and however many `#`s they hold; a middle costs at most segments of the topic times segments of the middle.
 *
 * Pure. A trie may be used by any number of threads, each with a match of its own.
 */
#ifndef EVENT_TOPIC_TRIE_H
#define EVENT_TOPIC_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct topic_trie;

struct topic_subscription {
	struct span pattern; /* passed topic_pattern_check() */
	uint32_t number; /* the caller's, of each subscription another one */
};

/* Never NULL; borrows nothing. The caller frees it. At most 2^24 subscriptions. */
struct topic_trie *topic_trie_new(const struct topic_subscription *subscriptions, uint32_t count);
void topic_trie_free(struct topic_trie *trie);

/* The memory that it takes. */
size_t topic_trie_bytes(const struct topic_trie *trie);

/* What a match found, and room for finding it: of one trie, for one thread. */
struct topic_match {
	uint32_t *numbers; /* of the subscriptions, each once, in no order */
	uint32_t count;
	uint32_t visited; /* nodes and patterns looked at */

	uint32_t *heads, *tails, *reached; /* see topic_trie.c */
	uint32_t tail_count, turn;
};

/* Never NULL. The caller frees it before or after the trie. */
struct topic_match *topic_match_new(const struct topic_trie *trie);
void topic_match_free(struct topic_match *match);

/*
 * Finds the subscriptions whose patterns match a topic, which passed topic_check(): match->numbers and match->count,
 * until the next call. The rule of topic_of_service() holds.
 */
void topic_trie_match(const struct topic_trie *trie, struct span topic, struct topic_match *match);

#endif
