/*
 * A strict RFC 8259 scanner: it moves over bytes of JSON, checks them, and says what it met. It builds nothing,
 * allocates nothing and does not recurse. Strings must be well-formed UTF-8 without raw control characters.
 *
 * The one thing outside the RFC that it can take are the tokens NaN, Infinity and -Infinity, and only when asked.
 * Depth counts containers inside one scan_value(): `[]` is 1 deep, and depth_max is the most that is taken.
 */
#ifndef EVENT_SCAN_H
#define EVENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 512

struct scan {
	const char *at; /* the next byte; after a failure, the byte that the reason is about */
	const char *end;
	const char *reason; /* after a failure: what is wrong, static text */
	bool nonfinite_ok; /* take NaN, Infinity and -Infinity as values; the caller may switch it at any time */
	unsigned depth_max; /* at most JSON_DEPTH_MAX, which scan_begin() sets; the caller may switch it, too */

	/* Met since the current value began; scan_value() and scan_member() hand it out in struct json. */
	size_t space; /* bytes of white space */
	ptrdiff_t growth; /* bytes that writing null for each non-finite number adds */
	bool nonfinite;
	bool escapes;
	bool unsafe;
};

enum json_type {
	JSON_ABSENT = 0, /* never scanned: what a zeroed struct json says */
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_NUMBER,
	JSON_NONFINITE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* A value that was scanned: borrowed text, and what is in it. */
struct json {
	enum json_type type;
	bool escapes; /* some string or key in it holds a backslash */
	bool unsafe; /* some string or key in it holds \u0000 or a lone surrogate escape */
	bool nonfinite; /* it holds NaN, Infinity or -Infinity */
	const char *text;
	size_t len; /* from the first to the last byte of the value, quotes and brackets included */
	size_t tight; /* bytes of it without insignificant white space and with null for each non-finite number */
};

/*
 * Starts at the first value of text, which must outlive the scan: white space is skipped, nothing at all is refused.
 * Returns false on failure, as all of these do: see scan->reason.
 */
bool scan_begin(struct scan *scan, const char *text, size_t len);

/* Only white space may follow to the end. */
bool scan_finish(struct scan *scan);

/* Moves over the value that starts at scan->at and tells about it in *value. */
bool scan_value(struct scan *scan, struct json *value);

/*
 * Walking a container whose opening bracket stands at scan->at: each call moves to the next element, which the caller
 * then moves over with scan_value() or another walk. *first is true on the first call of a walk and kept by these.
 * For an object *key is the member's key, a JSON_STRING, and scan->at is its value.
 */
enum scan_step {
	SCAN_FAILED, /* see scan->reason */
	SCAN_ELEMENT,
	SCAN_CLOSED /* scan->at is behind the closing bracket */
};

enum scan_step scan_element(struct scan *scan, bool *first);
enum scan_step scan_member(struct scan *scan, bool *first, struct json *key);

#endif
