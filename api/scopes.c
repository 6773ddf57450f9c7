/* The table of scopes, and the words for sets of scopes. */
#include "api/scopes.h"

#include <string.h>

static const struct {
	const char *name, *group, *verb;
} table[SCOPES] = {
#define X(symbol, group, verb) [SCOPE_##symbol] = {sizeof verb > 1 ? group "." verb : group, group, verb},
    SCOPE_LIST(X)
#undef X
};

/* Groups of an older API that clients still ask for. */
static const char *const foreign_groups[] = {"presence", "uploads", "billing"};

const char *
scope_name(enum scope scope)
{
	return table[scope].name;
}

static bool
is(struct span word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.base, text, word.len) == 0;
}

static bool
is_foreign(struct span group, struct span verb)
{
	for (size_t i = 0; i < sizeof foreign_groups / sizeof *foreign_groups; i++)
		if (is(group, foreign_groups[i]))
			return verb.len > 0;
	return false;
}

/* Whether "write" of a group includes the verb: it changes something. */
static bool
changes_something(const char *verb)
{
	return strcmp(verb, "read") != 0 && strcmp(verb, "subscribe") != 0;
}

static uint32_t
bits_of(struct span group, struct span verb)
{
	bool whole = is(verb, "manage") || is(verb, "*"), write = is(verb, "write");
	uint32_t bits = 0;

	if (is(group, "replay"))
		return whole || write ? SCOPE_BIT(SCOPE_DELIVERIES_RETRY) : 0;
	for (int s = 0; s < SCOPES; s++) {
		const char *own = table[s].verb;

		if (!is(group, table[s].group))
			continue;
		if (is(verb, own) || (*own != '\0' && (whole || (write && changes_something(own)))))
			bits |= SCOPE_BIT(s);
	}
	return (bits & SCOPE_BIT(SCOPE_ANY)) != 0 ? SCOPES_ALL_BUT_ADMIN : bits;
}

int
scopes_parse(struct span text, uint32_t *bits)
{
	struct span group = text, verb = {"", 0};
	uint32_t found;

	if (text.len == 0 || text.len > SCOPE_TEXT_MAX)
		return -1;
	for (size_t i = 0; i < text.len; i++)
		if (text.base[i] == '.' || text.base[i] == ':') {
			group.len = i;
			verb = (struct span){text.base + i + 1, text.len - i - 1};
			if (verb.len == 0)
				return -1;
			break;
		}
	found = bits_of(group, verb);
	if (found == 0 && !is_foreign(group, verb))
		return -1;
	*bits |= found;
	return 0;
}
