/*
 * The patterns of one tenant's subscriptions, built once for many topics.
 *
 * A pattern is cut at its `#`s: the head is before the first, the tail after the last, the middle between. One trie of
 * heads is walked from the topic's first segment on, one trie of tails from its last segment back. A pattern with `#`
 * matches if both walks reach it, head and tail do not overlap, and the parts of the middle occur in order in the
 * segments between.
 *
 *   order.*.#.eu.#.created    head order.*    middle eu    tail created
 *
 * So a topic visits each node of the two tries and each pattern at most once, whatever the patterns are. A middle costs
 * at most its number of segments times that of the topic.
 *
 * Pure. Any number of threads may use a trie, each with its own match.
 */
#ifndef EVENT_TOPIC_TRIE_H
#define EVENT_TOPIC_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct topic_trie;

struct topic_subscription {
	struct span pattern; /* passed topic_pattern_check() */
	uint32_t number; /* the caller's; unique */
};

/* Builds a trie of at most 2^24 subscriptions. Never NULL; borrows nothing. The caller frees it. */
struct topic_trie *topic_trie_new(const struct topic_subscription *subscriptions, uint32_t count);
void topic_trie_free(struct topic_trie *trie);

/* Its memory in bytes. */
size_t topic_trie_bytes(const struct topic_trie *trie);

/* The result of a match, and its work space. For one trie and one thread. */
struct topic_match {
	uint32_t *numbers; /* of the matching subscriptions, each once, unordered */
	uint32_t count;
	uint32_t visited; /* nodes and patterns looked at */

	uint32_t *heads, *tails, *reached; /* see topic_trie.c */
	uint32_t tail_count, turn;
};

/* Never NULL. The caller frees it. */
struct topic_match *topic_match_new(const struct topic_trie *trie);
void topic_match_free(struct topic_match *match);

/*
 * Finds the subscriptions whose patterns match a valid topic: match->numbers and match->count, valid until the next
 * call. Applies the rule of topic_of_service().
 */
void topic_trie_match(const struct topic_trie *trie, struct span topic, struct topic_match *match);

#endif
