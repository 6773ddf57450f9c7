/*
 * The scanner. One function moves over each kind of token; one function, next(), knows what may stand between two
 * values of a container; scan_value() drives them with a bit per open container instead of a call stack, so that depth is
 * bounded by a number and not by luck.
 *
 * At the end of the text peek() says NUL, which is valid nowhere outside a string: so no check for the end is needed
 * but where a failure is explained.
 */
#include "ingest/scan.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "ingest/plain.h"

static inline char
peek(const struct scan *s)
{
	return s->at < s->end ? *s->at : '\0';
}

static bool
fail(struct scan *s, const char *at, const char *reason)
{
	s->at = at;
	s->reason = reason;
	return false;
}

/* Something else was expected at s->at. */
static bool
unexpected(struct scan *s, const char *reason)
{
	return fail(s, s->at, s->at < s->end ? reason : "unexpected end");
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void
skip_space(struct scan *s)
{
	const char *start = s->at;

	while (is_space(peek(s)))
		s->at++;
	s->space += (size_t)(s->at - start);
}

/* Moves over the escape at s->at, a backslash. */
static bool
skip_escape(struct scan *s)
{
	const char *p = s->at;
	int unit;

	s->escapes = true;
	if (s->end - p < 2)
		return fail(s, s->end, "unexpected end");
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->at += 2;
		return true;
	case 'u':
		break;
	default:
		return fail(s, p, "invalid escape");
	}

	unit = s->end - p >= 6 ? hex_unit(p + 2) : -1;
	if (unit < 0)
		return fail(s, p, "invalid \\u escape");
	s->at += 6;
	if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
		s->unsafe = true;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		if (low_surrogate(s->at, s->end) >= 0)
			s->at += 6;
		else
			s->unsafe = true;
	}
	return true;
}

/* Moves over the string at s->at, a quote. */
static bool
skip_string(struct scan *s)
{
	const char *start = s->at++;

	for (;;) {
		s->at = plain_end(s->at, s->end);
		if (s->at == s->end)
			return fail(s, start, "unterminated string");
		if (*s->at == '"') {
			s->at++;
			return true;
		}
		if (*s->at == '\\') {
			if (!skip_escape(s))
				return false;
			continue;
		}
		if ((unsigned char)*s->at < 0x20)
			return fail(s, s->at, "raw control character in a string");
		/* Text in most scripts has its non-ASCII characters in rows. */
		do {
			size_t len = utf8_length(s->at, (size_t)(s->end - s->at));

			if (len == 0)
				return fail(s, s->at, "invalid UTF-8");
			s->at += len;
		} while ((unsigned char)peek(s) >= 0x80);
	}
}

static bool
skip_digits(struct scan *s)
{
	const char *start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at > start;
}

static bool
skip_number(struct scan *s)
{
	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0') {
		s->at++;
		if (peek(s) >= '0' && peek(s) <= '9')
			return fail(s, s->at, "leading zero in a number");
	} else if (!skip_digits(s)) {
		return unexpected(s, "expected a digit");
	}
	if (peek(s) == '.') {
		s->at++;
		if (!skip_digits(s))
			return unexpected(s, "expected a digit after the decimal point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!skip_digits(s))
			return unexpected(s, "expected a digit in the exponent");
	}
	return true;
}

static bool
skip_word(struct scan *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return unexpected(s, "expected a value");
	s->at += len;
	return true;
}

static bool
skip_nonfinite(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if (!skip_word(s, word, len))
		return false;
	if (!s->nonfinite_ok)
		return fail(s, s->at - len, "NaN and Infinity are taken only inside data");
	s->nonfinite = true;
	s->growth += (ptrdiff_t)strlen("null") - (ptrdiff_t)len;
	return true;
}

/* Moves over the value at s->at, which is not a container. */
static bool
skip_scalar(struct scan *s, enum json_type *type)
{
	switch (peek(s)) {
	case '"':
		*type = JSON_STRING;
		return skip_string(s);
	case '-':
		if (s->end - s->at >= 2 && s->at[1] == 'I') {
			*type = JSON_NONFINITE;
			return skip_nonfinite(s, "-Infinity");
		}
		*type = JSON_NUMBER;
		return skip_number(s);
	case '0' ... '9':
		*type = JSON_NUMBER;
		return skip_number(s);
	case 't':
		*type = JSON_BOOLEAN;
		return skip_word(s, "true", 4);
	case 'f':
		*type = JSON_BOOLEAN;
		return skip_word(s, "false", 5);
	case 'n':
		*type = JSON_NULL;
		return skip_word(s, "null", 4);
	case 'N':
		*type = JSON_NONFINITE;
		return skip_nonfinite(s, "NaN");
	case 'I':
		*type = JSON_NONFINITE;
		return skip_nonfinite(s, "Infinity");
	default:
		return unexpected(s, "expected a value");
	}
}

/* Moves over a key and its colon to the member's value; what is in the key goes to *key if that is not NULL. */
static bool
skip_key(struct scan *s, struct json *key)
{
	const char *start = s->at;

	if (peek(s) != '"')
		return unexpected(s, "expected a key in double quotes");
	if (!skip_string(s))
		return false;
	if (key != NULL)
		*key = (struct json){
		    .type = JSON_STRING,
		    .escapes = s->escapes,
		    .text = start,
		    .len = (size_t)(s->at - start),
		};
	skip_space(s);
	if (peek(s) != ':')
		return unexpected(s, "expected ':'");
	s->at++;
	skip_space(s);
	return true;
}

/* From behind the opening bracket (first) or behind a value to the container's next value or out of it. */
static inline enum scan_step
next(struct scan *s, bool first, bool object, struct json *key)
{
	const char closing = object ? '}' : ']';

	skip_space(s);
	if (peek(s) == closing) {
		s->at++;
		return SCAN_CLOSED;
	}
	if (!first) {
		if (peek(s) != ',') {
			unexpected(s, object ? "expected ',' or '}'" : "expected ',' or ']'");
			return SCAN_FAILED;
		}
		s->at++;
		skip_space(s);
		if (peek(s) == closing) {
			unexpected(s, "trailing comma");
			return SCAN_FAILED;
		}
	}
	return !object || skip_key(s, key) ? SCAN_ELEMENT : SCAN_FAILED;
}

static enum scan_step
walk(struct scan *s, bool *first, bool object, struct json *key)
{
	bool opening = *first;

	if (opening)
		s->at++;
	*first = false;
	s->escapes = false;
	return next(s, opening, object, key);
}

enum scan_step
scan_element(struct scan *scan, bool *first)
{
	return walk(scan, first, false, NULL);
}

enum scan_step
scan_member(struct scan *scan, bool *first, struct json *key)
{
	return walk(scan, first, true, key);
}

/* Moves over the container at s->at and everything in it. */
static bool
skip_container(struct scan *s)
{
	uint64_t objects[JSON_DEPTH_MAX / 64] = {0}; /* one bit per open container: object or array */
	unsigned depth = 0;
	enum json_type type;

	for (;;) {
		/* A value stands at s->at. */
		bool opened = peek(s) == '{' || peek(s) == '[';

		if (opened) {
			uint64_t bit = (uint64_t)1 << depth % 64;

			if (depth == JSON_DEPTH_MAX)
				return fail(s, s->at, "nested too deep");
			if (*s->at == '{')
				objects[depth / 64] |= bit;
			else
				objects[depth / 64] &= ~bit;
			depth++;
			s->at++;
		} else if (!skip_scalar(s, &type)) {
			return false;
		}

		for (;;) {
			bool object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
			enum scan_step step = next(s, opened, object, NULL);

			if (step == SCAN_FAILED)
				return false;
			if (step == SCAN_ELEMENT)
				break;
			if (--depth == 0)
				return true;
			opened = false;
		}
	}
}

bool
scan_value(struct scan *scan, struct json *value)
{
	const char *start = scan->at;
	enum json_type type;

	scan->space = 0;
	scan->growth = 0;
	scan->nonfinite = scan->escapes = scan->unsafe = false;
	if (peek(scan) == '{' || peek(scan) == '[') {
		type = *start == '{' ? JSON_OBJECT : JSON_ARRAY;
		if (!skip_container(scan))
			return false;
	} else if (!skip_scalar(scan, &type)) {
		return false;
	}

	size_t len = (size_t)(scan->at - start);

	*value = (struct json){
	    .type = type,
	    .escapes = scan->escapes,
	    .unsafe = scan->unsafe,
	    .nonfinite = scan->nonfinite,
	    .text = start,
	    .len = len,
	    .tight = len - scan->space + (size_t)scan->growth,
	};
	return true;
}

bool
scan_begin(struct scan *scan, const char *text, size_t len)
{
	*scan = (struct scan){.at = text, .end = text + len};
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail(scan, text, "byte order mark");
	skip_space(scan);
	if (scan->at == scan->end)
		return fail(scan, scan->at, "empty body");
	return true;
}

bool
scan_finish(struct scan *scan)
{
	skip_space(scan);
	return scan->at == scan->end || fail(scan, scan->at, "more than one value");
}
