/*
 * A strict RFC 8259 scanner: it moves over JSON text, checks it, and describes each value that it moved over. It builds
 * nothing, allocates nothing and does not recurse. Strings must be well-formed UTF-8 without raw control characters.
 *
 * If the caller asks for it, the scanner also takes the tokens NaN, Infinity and -Infinity, which are outside the RFC.
 * Depth counts containers inside one scan_value(): `[]` is 1 deep, and depth_max is the greatest allowed depth.
 */
#ifndef EVENT_SCAN_H
#define EVENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 512

struct scan {
	const char *at; /* the next byte; after a failure, the byte that is wrong */
	const char *end;
	const char *reason; /* after a failure: what is wrong, static text */
	bool nonfinite_ok; /* take NaN, Infinity and -Infinity as values; the caller may change it at any time */
	unsigned depth_max; /* at most JSON_DEPTH_MAX, which scan_begin() sets; the caller may change it at any time */

	/* Found since the current value began; scan_value() and scan_member() copy them into struct json. */
	size_t space; /* bytes of white space */
	ptrdiff_t growth; /* bytes that writing null for each non-finite number adds */
	bool nonfinite;
	bool escapes;
	bool unsafe;
};

enum json_type {
	JSON_ABSENT = 0, /* a zeroed struct json: nothing was scanned */
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_NUMBER,
	JSON_NONFINITE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* A scanned value: borrowed text, and what it holds. */
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
 * Starts at the first value of text, which must outlive the scan: white space is skipped, an empty text is refused.
 * This and the functions below return false on failure: see scan->reason.
 */
bool scan_begin(struct scan *scan, const char *text, size_t len);

/* Fails unless only white space follows up to the end. */
bool scan_finish(struct scan *scan);

/* Moves over the value that starts at scan->at and describes it in *value. */
bool scan_value(struct scan *scan, struct json *value);

/*
 * These walk through a container whose opening bracket stands at scan->at: each call moves to the next element, and the
 * caller moves over that with scan_value() or another walk. The caller sets *first before the first call and then
 * leaves it alone. For an object *key is the member's key, a JSON_STRING, and scan->at is its value.
 */
enum scan_step {
	SCAN_FAILED, /* see scan->reason */
	SCAN_ELEMENT,
	SCAN_CLOSED /* scan->at is behind the closing bracket */
};

enum scan_step scan_element(struct scan *scan, bool *first);
enum scan_step scan_member(struct scan *scan, bool *first, struct json *key);

#endif
