/* Decodes strings character by character, because they are short. Copies values in runs between white space. */
#include "ingest/rewrite.h"

#include <stdint.h>
#include <string.h>

#include "base/json_run.h"
#include "event/json_char.h"

size_t
rewrite_string(const struct json *string, char *to, size_t max_chars, bool *sanitised)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	size_t used = 0, chars = 0;

	while (p < end) {
		if (chars++ == max_chars)
			return REWRITE_TOO_LONG;
		used += json_char_put(json_char_take(&p, end, sanitised), to + used);
	}
	return used;
}

size_t
rewrite_cut(const struct json *string, char *to, size_t max_chars)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	char *at = to;
	bool ignored;

	for (size_t chars = 0; p < end && chars < max_chars; chars++)
		at += json_char_put(json_char_take(&p, end, &ignored), at);
	if (p < end)
		at = mempcpy(at, "...", 3);
	return (size_t)(at - to);
}

int
rewrite_compare(const struct json *a, const struct json *b)
{
	const char *p = a->text + 1, *p_end = a->text + a->len - 1;
	const char *q = b->text + 1, *q_end = b->text + b->len - 1;
	bool ignored;

	while (p < p_end && q < q_end) {
		uint32_t one = json_char_take(&p, p_end, &ignored), other = json_char_take(&q, q_end, &ignored);

		if (one != other)
			return one < other ? -1 : 1;
	}
	return (p < p_end) - (q < q_end);
}

size_t
rewrite_count(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

/* The end of the string whose opening quote is at p. */
static const char *
string_end(const char *p, const char *end)
{
	for (p = json_run_end(p + 1, end); *p != '"'; p = json_run_end(p, end))
		p += *p == '\\' ? 2 : 1;
	return p + 1;
}

void
rewrite_tight(const struct json *value, char *to)
{
	const char *p = value->text, *end = p + value->len;
	const char *run = p; /* beginning of the text not copied yet */

	if (value->tight == value->len && !value->nonfinite) {
		memcpy(to, p, value->len);
		return;
	}
	while (p < end) {
		const char *stop = p;
		bool nonfinite = true;

		if (*p == '"') {
			p = string_end(p, end);
			continue;
		}
		if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
			do
				p++;
			while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'));
			nonfinite = false;
		} else if (*p == 'N') {
			p += strlen("NaN");
		} else if (*p == 'I') {
			/* Replace a preceding minus, too: outside strings it occurs only before numbers. */
			stop -= p > value->text && p[-1] == '-';
			p += strlen("Infinity");
		} else {
			p++;
			continue;
		}
		to = mempcpy(to, run, (size_t)(stop - run));
		if (nonfinite)
			to = mempcpy(to, "null", strlen("null"));
		run = p;
	}
	memcpy(to, run, (size_t)(end - run));
}
