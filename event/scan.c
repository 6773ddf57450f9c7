/*
 * The scanner. Each kind of token has a function that takes the token's start and returns its end, or NULL after
 * fail(). next() alone knows what may come between two values of a container. scan_value() drives them with one bit per
 * open container instead of a call stack, so the depth has a fixed bound.
 *
 * "Saves 16 %" in a comment is a share of all instructions for decoding one event of the benchmark in a batch
 * (tests/bench/check.py).
 *
 * At the end of the text peek() returns NUL, which is invalid outside strings. So only error messages need to check for
 * the end.
 */
#include "event/scan.h"

#include <stdint.h>
#include <string.h>

#include "base/json_escape.h"
#include "base/json_run.h"
#include "base/utf8.h"

static inline char
peek(const struct scan *s, const char *p)
{
	return p < s->end ? *p : '\0';
}

/* Always NULL. */
static const char *
fail(struct scan *s, const char *at, const char *reason)
{
	s->at = at;
	s->reason = reason;
	return NULL;
}

/* Fails with that reason, or with "unexpected end" if the text ends at p. */
static const char *
unexpected(struct scan *s, const char *p, const char *reason)
{
	return fail(s, p, p < s->end ? reason : "unexpected end");
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *
skip_space(struct scan *s, const char *p)
{
	const char *start = p;

	/* Usually there is no white space: this one comparison saves 16 %. */
	if ((unsigned char)peek(s, p) > ' ')
		return p;
	while (is_space(peek(s, p)))
		p++;
	s->space += (size_t)(p - start);
	return p;
}

/* Skips the escape at p, a backslash. */
static const char *
skip_escape(struct scan *s, const char *p)
{
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
		return p + 2;
	case 'u':
		break;
	default:
		return fail(s, p, "invalid escape");
	}

	unit = json_escape_unit(p, s->end);
	if (unit < 0)
		return fail(s, p, "invalid \\u escape");
	p += JSON_ESCAPE_BYTES;
	if (is_high_surrogate(unit) && is_low_surrogate(json_escape_unit(p, s->end)))
		return p + JSON_ESCAPE_BYTES;
	if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit))
		s->unsafe = true;
	return p;
}

/* Skips the rest of the string at start, from its first special character p on. */
static const char *
skip_special(struct scan *s, const char *start, const char *p)
{
	for (;;) {
		if (p == s->end)
			return fail(s, start, "unterminated string");
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			p = skip_escape(s, p);
			if (p == NULL)
				return NULL;
		} else if ((unsigned char)*p < 0x20) {
			return fail(s, p, "raw control character in a string");
		} else {
			/* In most scripts non-ASCII characters come in runs. */
			do {
				size_t len = utf8_length(p, (size_t)(s->end - p));

				if (len == 0)
					return fail(s, p, "invalid UTF-8");
				p += len;
			} while ((unsigned char)peek(s, p) >= 0x80);
		}
		p = json_run_end(p, s->end);
	}
}

/* Skips the string at p, a quote. Most strings have only plain characters: inlining that case saves 7 %. */
static inline const char *
skip_string(struct scan *s, const char *p)
{
	const char *stop = json_run_end(p + 1, s->end);

	return peek(s, stop) == '"' ? stop + 1 : skip_special(s, p, stop);
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Skips one digit or more at p, or fails with that reason. */
static inline const char *
skip_digits(struct scan *s, const char *p, const char *reason)
{
	if (!is_digit(peek(s, p)))
		return unexpected(s, p, reason);
	do
		p++;
	while (is_digit(peek(s, p)));
	return p;
}

static const char *
skip_number(struct scan *s, const char *p)
{
	if (peek(s, p) == '-')
		p++;
	if (peek(s, p) == '0') {
		p++;
		if (is_digit(peek(s, p)))
			return fail(s, p, "leading zero in a number");
	} else {
		p = skip_digits(s, p, "expected a digit");
	}
	if (p != NULL && peek(s, p) == '.')
		p = skip_digits(s, p + 1, "expected a digit after the decimal point");
	if (p != NULL && (peek(s, p) == 'e' || peek(s, p) == 'E')) {
		p++;
		if (peek(s, p) == '+' || peek(s, p) == '-')
			p++;
		p = skip_digits(s, p, "expected a digit in the exponent");
	}
	return p;
}

static const char *
skip_word(struct scan *s, const char *p, const char *word, size_t len)
{
	if ((size_t)(s->end - p) < len || memcmp(p, word, len) != 0)
		return unexpected(s, p, "expected a value");
	return p + len;
}

static const char *
skip_nonfinite(struct scan *s, const char *p, const char *word)
{
	size_t len = strlen(word);
	const char *behind = skip_word(s, p, word, len);

	if (behind == NULL)
		return NULL;
	if (!s->nonfinite_ok)
		return fail(s, p, "NaN and Infinity are taken only inside data");
	s->nonfinite = true;
	s->growth += (ptrdiff_t)strlen("null") - (ptrdiff_t)len;
	return behind;
}

/* Skips the scalar value at p. */
static const char *
skip_scalar(struct scan *s, const char *p, enum json_type *type)
{
	if (peek(s, p) == '"') {
		*type = JSON_STRING;
		return skip_string(s, p);
	}
	switch (peek(s, p)) {
	case '-':
		if (s->end - p >= 2 && p[1] == 'I') {
			*type = JSON_NONFINITE;
			return skip_nonfinite(s, p, "-Infinity");
		}
		*type = JSON_NUMBER;
		return skip_number(s, p);
	case '0' ... '9':
		*type = JSON_NUMBER;
		return skip_number(s, p);
	case 't':
		*type = JSON_BOOLEAN;
		return skip_word(s, p, "true", 4);
	case 'f':
		*type = JSON_BOOLEAN;
		return skip_word(s, p, "false", 5);
	case 'n':
		*type = JSON_NULL;
		return skip_word(s, p, "null", 4);
	case 'N':
		*type = JSON_NONFINITE;
		return skip_nonfinite(s, p, "NaN");
	case 'I':
		*type = JSON_NONFINITE;
		return skip_nonfinite(s, p, "Infinity");
	default:
		if (s->end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
			return fail(s, p, "byte order mark");
		return unexpected(s, p, "expected a value");
	}
}

/* Skips a key and its colon; sets *key unless key is NULL. Returns the start of the member's value. */
static inline const char *
skip_key(struct scan *s, const char *p, struct json *key)
{
	const char *start = p;

	if (peek(s, p) != '"')
		return unexpected(s, p, "expected a key in double quotes");
	p = skip_string(s, p);
	if (p == NULL)
		return NULL;
	if (key != NULL)
		*key = (struct json){
		    .type = JSON_STRING,
		    .escapes = s->escapes,
		    .text = start,
		    .len = (size_t)(p - start),
		};
	p = skip_space(s, p);
	if (peek(s, p) != ':')
		return unexpected(s, p, "expected ':'");
	return skip_space(s, p + 1);
}

/*
 * Moves from p, after the opening bracket (first) or after a value, to the container's next value, or past its end with
 * *closed set. Inline, because most of its six parameters are constants of the caller.
 */
static inline const char *
next(struct scan *s, const char *p, bool first, bool object, struct json *key, bool *closed)
{
	const char closing = object ? '}' : ']';

	p = skip_space(s, p);
	*closed = peek(s, p) == closing;
	if (*closed)
		return p + 1;
	if (!first) {
		if (peek(s, p) != ',')
			return unexpected(s, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
		p = skip_space(s, p + 1);
		if (peek(s, p) == closing)
			return unexpected(s, p, "trailing comma");
	}
	return object ? skip_key(s, p, key) : p;
}

static inline enum scan_step
walk(struct scan *s, bool *first, bool object, struct json *key)
{
	const char *p = s->at;
	bool opening = *first, closed;

	if (opening)
		p++;
	*first = false;
	s->escapes = false;
	p = next(s, p, opening, object, key, &closed);
	if (p == NULL)
		return SCAN_FAILED;
	s->at = p;
	return closed ? SCAN_CLOSED : SCAN_ELEMENT;
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

/* Skips the container at p with everything in it. */
static const char *
skip_container(struct scan *s, const char *p)
{
	uint64_t objects[JSON_DEPTH_MAX / 64] = {0}; /* one bit per open container: object or array */
	unsigned depth = 0;
	enum json_type type;

	for (;;) {
		/* p is at a value. */
		char c = peek(s, p);
		bool first = c == '{' || c == '[';
		bool object, closed;

		if (first) {
			uint64_t bit = (uint64_t)1 << depth % 64;

			if (depth == s->depth_max)
				return fail(s, p, "nested too deep");
			if (c == '{')
				objects[depth / 64] |= bit;
			else
				objects[depth / 64] &= ~bit;
			depth++;
			p++;
		} else {
			p = skip_scalar(s, p, &type);
			if (p == NULL)
				return NULL;
		}

		for (;; first = false) {
			object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
			p = next(s, p, first, object, NULL, &closed);
			if (p == NULL)
				return NULL;
			if (!closed)
				break;
			if (--depth == 0)
				return p;
		}
	}
}

bool
scan_value(struct scan *scan, struct json *value)
{
	const char *start = scan->at, *p;
	enum json_type type;

	scan->space = 0;
	scan->growth = 0;
	scan->nonfinite = scan->escapes = scan->unsafe = false;
	if (peek(scan, start) == '{' || peek(scan, start) == '[') {
		type = *start == '{' ? JSON_OBJECT : JSON_ARRAY;
		p = skip_container(scan, start);
	} else {
		p = skip_scalar(scan, start, &type);
	}
	if (p == NULL)
		return false;
	scan->at = p;

	size_t len = (size_t)(p - start);

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
	*scan = (struct scan){.at = text, .end = len > 0 ? text + len : text, .depth_max = JSON_DEPTH_MAX};
	scan->at = skip_space(scan, text);
	if (scan->at == scan->end)
		return fail(scan, scan->at, "empty body") != NULL;
	return true;
}

bool
scan_finish(struct scan *scan)
{
	scan->at = skip_space(scan, scan->at);
	return scan->at == scan->end || fail(scan, scan->at, "more than one value") != NULL;
}
