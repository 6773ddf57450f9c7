/* Strings are short, so they are unescaped character by character; values are copied in runs between white space. */
#include "ingest/rewrite.h"

#include <stdint.h>
#include <string.h>

#include "base/json_escape.h"
#include "base/json_run.h"

#define REPLACEMENT 0xfffd

static size_t
put_utf8(uint32_t code, char *to)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* The character that the escape at *p spells; moves *p behind it. */
static uint32_t
take_escape(const char **p, const char *end, bool *sanitised)
{
	char letter = (*p)[1];
	int unit, low;

	if (letter != 'u') {
		*p += 2;
		switch (letter) {
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return (unsigned char)letter;
		}
	}

	unit = json_escape_unit(*p, end);
	*p += JSON_ESCAPE_BYTES;
	if (is_high_surrogate(unit)) {
		low = json_escape_unit(*p, end);
		if (is_low_surrogate(low)) {
			*p += JSON_ESCAPE_BYTES;
			return 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
		}
	}
	if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit)) {
		*sanitised = true;
		return REPLACEMENT;
	}
	return (uint32_t)unit;
}

/* The character at *p, an escape or as it is; moves *p behind it. */
static uint32_t
take_char(const char **p, const char *end, bool *sanitised)
{
	const char *at = *p;
	unsigned lead = (unsigned char)*at++;
	uint32_t code;

	if (lead == '\\')
		return take_escape(p, end, sanitised);
	code = lead < 0x80 ? lead : lead < 0xe0 ? lead & 0x1f : lead < 0xf0 ? lead & 0x0f : lead & 0x07;
	while (((unsigned char)*at & 0xc0) == 0x80)
		code = code << 6 | ((unsigned char)*at++ & 0x3f);
	*p = at;
	return code;
}

size_t
rewrite_string(const struct json *string, char *to, size_t max_chars, bool *sanitised)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	size_t used = 0, chars = 0;

	while (p < end) {
		if (chars++ == max_chars)
			return REWRITE_TOO_LONG;
		used += put_utf8(take_char(&p, end, sanitised), to + used);
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
		at += put_utf8(take_char(&p, end, &ignored), at);
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
		uint32_t one = take_char(&p, p_end, &ignored), other = take_char(&q, q_end, &ignored);

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

/* The place behind the string whose opening quote stands at p. */
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
	const char *run = p; /* copied up to here */

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
			/* A minus before it belongs to it: outside strings it only stands before numbers. */
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
