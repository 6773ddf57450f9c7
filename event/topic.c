/* Topics and patterns: one check for both, character by character. */
#include "event/topic.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

static uint32_t
code_point(const char *text, size_t len)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)text[0] & lead[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

/* The characters with Unicode's property White_Space, and three other invisible ones. */
static bool
is_blank(uint32_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202f || c == 0x205f || c == 0x2060 || c == 0x3000 || c == 0xfeff;
}

static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static bool
is_wildcard(char c)
{
	return c == '*' || c == '#';
}

/* Checks a topic or a pattern; what is its name in messages. */
static int
check(struct span text, bool pattern, const char *what, struct error *err)
{
	size_t segment = 0, chars = 0; /* where the segment began */

	if (text.len == 0)
		return error_set(err, "the %s is empty", what);
	for (size_t at = 0, len; at < text.len; at += len) {
		bool alone = at == segment && (at + 1 == text.len || text.base[at + 1] == '.');
		uint32_t c;

		len = utf8_length(text.base + at, text.len - at);
		if (len == 0)
			return error_set(err, "byte %zu: the %s is not UTF-8", at, what);
		if (++chars > TOPIC_CHARS_MAX)
			return error_set(
			    err, "byte %zu: the %s has more than %d characters", at, what, TOPIC_CHARS_MAX);
		c = code_point(text.base + at, len);
		if (is_control(c))
			return error_set(err, "byte %zu: the %s holds a control character", at, what);
		if (is_blank(c))
			return error_set(err, "byte %zu: the %s holds white space", at, what);
		if (is_wildcard(text.base[at]) && !pattern)
			return error_set(err, "byte %zu: '%c' is for patterns, not for topics", at, text.base[at]);
		if (is_wildcard(text.base[at]) && !alone)
			return error_set(err, "byte %zu: '%c' must be a segment of its own", at, text.base[at]);
		if (c == '.') {
			if (at == segment)
				return error_set(err, "byte %zu: the %s has an empty segment", at, what);
			segment = at + 1;
		}
	}
	if (segment == text.len)
		return error_set(err, "byte %zu: the %s has an empty segment", text.len, what);
	return 0;
}

int
topic_check(struct span text, struct error *err)
{
	return check(text, false, "topic", err);
}

int
topic_pattern_check(struct span text, struct error *err)
{
	return check(text, true, "pattern", err);
}

/* The first NOTICE_PREFIXES are those of notices. */
static const char *const prefixes[] = {"hookline.endpoint.", "deliveries.", "hooks."};

#define PREFIXES (sizeof prefixes / sizeof prefixes[0])
#define NOTICE_PREFIXES 2

static bool
has_prefix(struct span topic, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(prefixes[i]);

		if (topic.len >= len && memcmp(topic.base, prefixes[i], len) == 0)
			return true;
	}
	return false;
}

bool
topic_of_service(struct span topic)
{
	return has_prefix(topic, PREFIXES);
}

bool
topic_of_notices(struct span topic)
{
	return has_prefix(topic, NOTICE_PREFIXES);
}

unsigned
topic_split(struct span text, struct span segments[TOPIC_SEGMENTS_MAX])
{
	const char *p = text.base, *end = text.base + text.len;
	unsigned count = 0;

	for (;;) {
		const char *dot = memchr(p, '.', (size_t)(end - p));
		const char *stop = dot == NULL ? end : dot;

		assert(count < TOPIC_SEGMENTS_MAX && stop > p);
		segments[count++] = (struct span){p, (size_t)(stop - p)};
		if (dot == NULL)
			return count;
		p = dot + 1;
	}
}
