/*
 * Arbitrary topics and patterns: the first line of an input is the topic, the others are patterns. For every input:
 *
 *   - a text that passes is UTF-8, and its segments and dots are the text;
 *   - the trie of all patterns matches those that a plain matcher matches, each once.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "event/topic.h"
#include "event/topic_trie.h"
#include "tests/fuzz/target.h"

#define PATTERNS_MAX 64

/*
 * The plain matcher: a row of a table for each segment of the pattern says whether it matches so many segments of the
 * topic.
 */
static bool
matches(struct span pattern, struct span topic)
{
	struct span p[TOPIC_SEGMENTS_MAX], t[TOPIC_SEGMENTS_MAX];
	unsigned pn = topic_split(pattern, p), tn = topic_split(topic, t);
	bool rows[2][TOPIC_SEGMENTS_MAX + 1] = {{true}};

	if (topic_of_service(topic) && (p[0].len != t[0].len || memcmp(p[0].base, t[0].base, t[0].len) != 0))
		return false;
	for (unsigned i = 0; i < pn; i++) {
		const bool *before = rows[i % 2];
		bool *now = rows[(i + 1) % 2];

		for (unsigned n = 0; n <= tn; n++) {
			bool same =
			    n > 0 && p[i].len == t[n - 1].len && memcmp(p[i].base, t[n - 1].base, p[i].len) == 0;

			if (p[i].len == 1 && p[i].base[0] == '#')
				now[n] = before[n] || (n > 0 && now[n - 1]);
			else
				now[n] = n > 0 && before[n - 1] && (same || (p[i].len == 1 && p[i].base[0] == '*'));
		}
	}
	return rows[pn % 2][tn];
}

static void
check_text(struct span text)
{
	struct span segments[TOPIC_SEGMENTS_MAX];
	unsigned count = topic_split(text, segments);
	size_t at = 0, chars = 0;

	assert(count > 0 && count <= TOPIC_SEGMENTS_MAX && text.len <= TOPIC_BYTES_MAX);
	for (unsigned i = 0; i < count; i++) {
		assert(segments[i].base == text.base + at && segments[i].len > 0);
		at += segments[i].len + 1;
	}
	assert(at == text.len + 1);
	for (at = 0; at < text.len; chars++) {
		size_t len = utf8_length(text.base + at, text.len - at);

		assert(len > 0);
		at += len;
	}
	assert(chars <= TOPIC_CHARS_MAX);
}

static struct span
take_line(const char **p, const char *end)
{
	const char *begin = *p, *stop = memchr(begin, '\n', (size_t)(end - begin));

	if (stop == NULL)
		stop = end;
	*p = stop == end ? end : stop + 1;
	return (struct span){begin, (size_t)(stop - begin)};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	struct topic_subscription all[PATTERNS_MAX];
	unsigned found[PATTERNS_MAX] = {0};
	struct span topic = take_line(&p, end);
	struct topic_trie *trie;
	struct topic_match *match;
	uint32_t count = 0;
	struct error err;

	while (p < end && count < PATTERNS_MAX) {
		struct span pattern = take_line(&p, end);

		if (topic_pattern_check(pattern, &err) == 0) {
			check_text(pattern);
			all[count] = (struct topic_subscription){pattern, count};
			count++;
		}
	}
	if (topic_check(topic, &err) != 0)
		return 0;
	assert(topic_pattern_check(topic, &err) == 0);
	check_text(topic);
	trie = topic_trie_new(all, count);
	match = topic_match_new(trie);
	topic_trie_match(trie, topic, match);
	for (uint32_t i = 0; i < match->count; i++)
		found[match->numbers[i]]++;
	for (uint32_t i = 0; i < count; i++)
		assert(found[i] == matches(all[i].pattern, topic));
	topic_match_free(match);
	topic_trie_free(trie);
	return 0;
}
