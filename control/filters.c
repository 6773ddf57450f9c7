/* SQL has no patterns of topics: it gets a LIKE pattern that matches more, and the excess is filtered out here. */
#include "control/filters.h"

#include <stdio.h>
#include <string.h>

#include "base/uuid.h"

#define DAY_MS INT64_C(86400000)

static struct span
text(const char *of)
{
	return (struct span){of, strlen(of)};
}

bool
filter_id(
    const struct request *request, const char *name, const char *what, char out[OBJECT_ID_BYTES], struct reply *reply)
{
	char value[QUERY_VALUE_BYTES];

	out[0] = '\0';
	if (!query_value(request, name, value) || object_id_read(text(value), out))
		return true;
	answer_error(reply, 400, "validation_error", "query: %s must be the id of %s, a UUID", name, what);
	return false;
}

bool
filter_word(
    const struct request *request, const char *name, const char *const *words, const char **out, struct reply *reply)
{
	char value[QUERY_VALUE_BYTES], list[120] = "";

	*out = NULL;
	if (!query_value(request, name, value))
		return true;
	for (const char *const *word = words; *word != NULL; word++) {
		size_t len = strlen(list);

		if (strcmp(value, *word) == 0) {
			*out = *word;
			return true;
		}
		(void)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? " or " : "", *word);
	}
	answer_error(reply, 400, "validation_error", "query: %s must be %s", name, list);
	return false;
}

bool
filter_times(const struct request *request, struct time_range *out, struct reply *reply)
{
	*out = TIME_RANGE_ALL;
	return query_int(request, "from_ms", 0, TIME_RANGE_LAST_MS - 1, &out->from_ms, reply) &&
	       query_int(request, "to_ms", 0, TIME_RANGE_LAST_MS - 1, &out->to_ms, reply);
}

int64_t
id_time_ms(const char *id)
{
	uint8_t bytes[16] = {0};
	int64_t ms = 0;

	(void)uuid_parse(id, strlen(id), bytes);
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | bytes[i];
	return ms;
}

struct time_range
time_range_of_id(const char *id)
{
	int64_t ms = id_time_ms(id);

	return (struct time_range){ms - DAY_MS, ms + DAY_MS};
}

/* ---- topics ---- */

static bool
is(struct span segment, char c)
{
	return segment.len == 1 && segment.base[0] == c;
}

void
topic_like(const char *pattern, char like[2 * QUERY_VALUE_BYTES])
{
	struct span segments[TOPIC_SEGMENTS_MAX];
	unsigned count = topic_split(text(pattern), segments);
	size_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		/* A # may match no segment, and then its dot disappears too. */
		if (i > 0 && !is(segments[i], '#') && !is(segments[i - 1], '#'))
			like[n++] = '.';
		if (is(segments[i], '#') || is(segments[i], '*')) {
			like[n++] = '%';
			continue;
		}
		for (size_t at = 0; at < segments[i].len; at++) {
			if (strchr("%_\\", segments[i].base[at]) != NULL)
				like[n++] = '\\';
			like[n++] = segments[i].base[at];
		}
	}
	like[n] = '\0';
}

int
filter_topic_set(struct topic_filter *out, const char *pattern, struct error *err)
{
	if (topic_pattern_check(text(pattern), err) != 0)
		return -1;
	out->given = true;
	memcpy(out->pattern, pattern, strlen(pattern) + 1);
	topic_like(out->pattern, out->like);
	return 0;
}

bool
filter_topic(const struct request *request, struct topic_filter *out, struct reply *reply)
{
	char pattern[QUERY_VALUE_BYTES];
	struct error err;

	out->given = false;
	if (!query_value(request, "topic", pattern) || filter_topic_set(out, pattern, &err) == 0)
		return true;
	answer_error(reply, 400, "validation_error", "query: topic: %s", err.text);
	return false;
}

struct span
topic_filter_like(const struct topic_filter *filter)
{
	return filter->given ? text(filter->like) : (struct span){NULL, 0};
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

bool
topic_filter_fits(const struct topic_filter *filter, struct span topic)
{
	struct span pattern[TOPIC_SEGMENTS_MAX], segments[TOPIC_SEGMENTS_MAX];
	struct error ignored;
	unsigned patterns, count, p = 0, at = 0;
	/* As with globs, only the last # needs to be retried with more segments. */
	unsigned after_hash = UINT32_MAX, hash_at = 0;

	if (!filter->given)
		return true;
	if (topic_check(topic, &ignored) != 0)
		return false; /* an edited row */
	patterns = topic_split(text(filter->pattern), pattern);
	count = topic_split(topic, segments);
	while (at < count) {
		if (p < patterns && is(pattern[p], '#')) {
			after_hash = ++p;
			hash_at = at;
		} else if (p < patterns && (is(pattern[p], '*') || same(pattern[p], segments[at]))) {
			p++;
			at++;
		} else if (after_hash != UINT32_MAX) {
			p = after_hash;
			at = ++hash_at;
		} else {
			return false;
		}
	}
	while (p < patterns && is(pattern[p], '#'))
		p++;
	return p == patterns;
}
