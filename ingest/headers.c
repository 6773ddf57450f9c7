/* Reads a header's value word by word: tokens, and quoted strings, which may contain separators. */
#include "ingest/headers.h"

#include <string.h>
#include <strings.h>

#include "base/span.h"

struct cursor {
	const char *at;
	const char *end;
};

static bool
is_one_of(const struct cursor *c, const char *characters)
{
	return c->at < c->end && memchr(characters, *c->at, strlen(characters)) != NULL;
}

static void
skip(struct cursor *c, const char *characters)
{
	while (is_one_of(c, characters))
		c->at++;
}

/* Takes a quoted string, without quotes but with escapes, or the text up to the next separator. */
static struct span
take_word(struct cursor *c)
{
	bool quoted = is_one_of(c, "\"");
	const char *start = quoted ? ++c->at : c->at;
	struct span word;

	while (c->at < c->end && !is_one_of(c, quoted ? "\"" : "\"=,; \t"))
		c->at += quoted && *c->at == '\\' && c->end - c->at >= 2 ? 2 : 1;
	word = (struct span){start, (size_t)(c->at - start)};
	if (quoted && c->at < c->end)
		c->at++;
	return word;
}

static bool
is_word(struct span word, const char *text)
{
	return word.len == strlen(text) && strncasecmp(word.base, text, word.len) == 0;
}

enum handling
prefer_handling(const char *value, size_t len)
{
	struct cursor c = {value, value + len};

	while (c.at < c.end) {
		struct span name, said = {"", 0};

		skip(&c, ", \t");
		name = take_word(&c);
		skip(&c, " \t");
		if (is_one_of(&c, "=")) {
			c.at++;
			skip(&c, " \t");
			said = take_word(&c);
		}
		if (is_word(name, "handling") && is_word(said, "lenient"))
			return HANDLING_LENIENT;
		if (is_word(name, "handling") && is_word(said, "strict"))
			return HANDLING_STRICT;
		/* Skip the preference's parameters. */
		while (c.at < c.end && !is_one_of(&c, ",")) {
			(void)take_word(&c);
			skip(&c, "=; \t");
		}
	}
	return HANDLING_UNSAID;
}

size_t
idempotency_key_parse(const char *value, size_t len, char key[IDEMPOTENCY_KEY_MAX])
{
	struct cursor c = {value, value + len};
	bool quoted;
	size_t used = 0;

	skip(&c, " \t");
	while (c.end > c.at && (c.end[-1] == ' ' || c.end[-1] == '\t'))
		c.end--;
	quoted = is_one_of(&c, "\"");
	if (quoted) {
		c.at++;
		if (c.at == c.end || *--c.end != '"')
			return 0;
	}
	for (; c.at < c.end; c.at++) {
		if (quoted && *c.at == '\\') {
			c.at++;
			if (!is_one_of(&c, "\"\\"))
				return 0;
		} else if (*c.at <= ' ' || *c.at > '~' || (quoted && *c.at == '"')) {
			return 0;
		}
		if (used == IDEMPOTENCY_KEY_MAX)
			return 0;
		key[used++] = *c.at;
	}
	return used;
}

/* Whether text begins with that many lower-case hex digits, not all zero unless zeros_ok. */
static bool
is_hex(const char *text, size_t digits, bool zeros_ok)
{
	bool zero = true;

	for (size_t i = 0; i < digits; i++) {
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
		zero = zero && text[i] == '0';
	}
	return zeros_ok || !zero;
}

static bool
is_visible(const char *value, size_t len, char first)
{
	for (size_t i = 0; i < len; i++)
		if (value[i] < first || value[i] > '~')
			return false;
	return true;
}

bool
traceparent_valid(const char *value, size_t len)
{
	/* version-trace_id-parent_id-flags */
	if (len < 55 || len > TRACEPARENT_MAX || value[2] != '-' || value[35] != '-' || value[52] != '-' ||
	    !is_hex(value, 2, true) || memcmp(value, "ff", 2) == 0 || !is_hex(value + 3, 32, false) ||
	    !is_hex(value + 36, 16, false) || !is_hex(value + 53, 2, true))
		return false;
	return len == 55 || (memcmp(value, "00", 2) != 0 && value[55] == '-' && is_visible(value + 55, len - 55, '!'));
}

bool
tracestate_valid(const char *value, size_t len)
{
	return len > 0 && len <= TRACESTATE_MAX && is_visible(value, len, ' ');
}
