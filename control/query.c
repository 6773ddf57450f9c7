/* Parses a query. */
#include "control/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum decoded { DECODED, DECODED_TOO_LONG, DECODED_BAD };

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_text(const char *text, size_t len)
{
	while (len > 0) {
		size_t n = utf8_length(text, len);

		if (n == 0 || *text == '\0')
			return false;
		text += n;
		len -= n;
	}
	return true;
}

/* A % without two digits after it stands for itself, as in browsers. */
static enum decoded
decode(struct span in, char out[QUERY_VALUE_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.base[i];
		int high, low;

		if (n + 1 == QUERY_VALUE_BYTES)
			return DECODED_TOO_LONG;
		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < in.len && (high = hex_digit(in.base[i + 1])) >= 0 &&
			   (low = hex_digit(in.base[i + 2])) >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return is_text(out, n) ? DECODED : DECODED_BAD;
}

/* Takes the next pair off the front of a query. false: the end. */
static bool
next_pair(struct span *query, struct span *name, struct span *value)
{
	const char *end, *equals;

	if (query->len == 0)
		return false;
	end = memchr(query->base, '&', query->len);
	*name = (struct span){query->base, end != NULL ? (size_t)(end - query->base) : query->len};
	query->base += name->len + (end != NULL);
	query->len -= name->len + (end != NULL);
	equals = memchr(name->base, '=', name->len);
	*value = (struct span){"", 0};
	if (equals != NULL) {
		*value = (struct span){equals + 1, (size_t)(name->base + name->len - equals - 1)};
		name->len = (size_t)(equals - name->base);
	}
	return true;
}

#define NAME_SHOWN_BYTES 64

/* How many bytes of a name to show, in whole characters. */
static int
shown(const char *name)
{
	size_t used = 0, left = strlen(name);

	while (left > used) {
		size_t len = utf8_length(name + used, left - used);

		if (len == 0 || used + len > NAME_SHOWN_BYTES)
			break;
		used += len;
	}
	return (int)used;
}

static bool
describe_unreadable(enum decoded how, unsigned number, const char *name, char *text, size_t size)
{
	const char *what = how == DECODED_TOO_LONG ? "is too long" : "is not UTF-8, or holds a NUL";

	if (name == NULL)
		(void)snprintf(text, size, "query: the name of parameter %u %s", number, what);
	else
		(void)snprintf(text, size, "query: the value of %.*s %s", shown(name), name, what);
	return false;
}

/* Whether the query has a value of that name before the place where `before` begins. */
static bool
is_repeated(struct span query, const char *name, const char *before)
{
	char other[QUERY_VALUE_BYTES];
	struct span raw_name, raw_value;

	while (next_pair(&query, &raw_name, &raw_value) && raw_name.base < before)
		if (raw_value.len > 0 && decode(raw_name, other) == DECODED && strcmp(other, name) == 0)
			return true;
	return false;
}

bool
query_is_readable(struct span query, char *text, size_t size)
{
	char name[QUERY_VALUE_BYTES], out[QUERY_VALUE_BYTES];
	struct span raw_name, raw_value, rest = query;

	for (unsigned number = 1; next_pair(&rest, &raw_name, &raw_value); number++) {
		enum decoded how = decode(raw_name, name);

		if (number > QUERY_PARAMETERS_MAX) {
			(void)snprintf(text, size, "query: more than %d parameters", QUERY_PARAMETERS_MAX);
			return false;
		}
		if (how != DECODED)
			return describe_unreadable(how, number, NULL, text, size);
		how = decode(raw_value, out);
		if (how != DECODED)
			return describe_unreadable(how, number, name, text, size);
		if (raw_value.len > 0 && is_repeated(query, name, raw_name.base)) {
			(void)snprintf(text, size, "query: %.*s is there twice", shown(name), name);
			return false;
		}
	}
	return true;
}

bool
query_value(const struct request *request, const char *name, char out[QUERY_VALUE_BYTES])
{
	struct span query = request->query, raw_name, raw_value;

	while (next_pair(&query, &raw_name, &raw_value))
		if (raw_value.len > 0 && decode(raw_name, out) == DECODED && strcmp(out, name) == 0)
			return decode(raw_value, out) == DECODED;
	return false;
}

bool
query_names(const struct request *request, const char *name)
{
	struct span query = request->query, raw_name, raw_value;
	char out[QUERY_VALUE_BYTES];

	while (next_pair(&query, &raw_name, &raw_value))
		if (decode(raw_name, out) == DECODED && strcmp(out, name) == 0)
			return true;
	return false;
}

bool
query_int(const struct request *request, const char *name, int64_t min, int64_t max, int64_t *out, struct reply *reply)
{
	char value[QUERY_VALUE_BYTES], *end;
	long long number;

	if (!query_value(request, name, value))
		return true;
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno == 0 && end > value && *end == '\0' && (*value == '-' || (*value >= '0' && *value <= '9')) &&
	    number >= min && number <= max) {
		*out = number;
		return true;
	}
	answer_error(reply, 400, "validation_error", "query: %s must be a whole number from %" PRId64 " to %" PRId64,
	    name, min, max);
	return false;
}

bool
query_bool(const struct request *request, const char *name, int *out, struct reply *reply)
{
	char value[QUERY_VALUE_BYTES];

	if (!query_value(request, name, value))
		return true;
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
		answer_error(reply, 400, "validation_error", "query: %s must be true or false", name);
		return false;
	}
	*out = value[0] == 't';
	return true;
}

static bool
is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

bool
query_has_only(const struct request *request, const char *const *names, struct reply *reply)
{
	struct span query = request->query, raw_name, raw_value;
	char name[QUERY_VALUE_BYTES];

	for (unsigned number = 1; next_pair(&query, &raw_name, &raw_value); number++)
		if (raw_name.len > 0 && (decode(raw_name, name) != DECODED || !is_among(name, names))) {
			answer_error(reply, 400, "validation_error",
			    "query: parameter %u has a name that this request does not know", number);
			return false;
		}
	return true;
}
