/*
 * A strict RFC 8259 scanner: it checks JSON text and describes each value that it passes. It builds no tree, allocates
 * nothing and does not recurse. Strings must be well-formed UTF-8 without raw control characters.
 *
 * On request the scanner also accepts the tokens NaN, Infinity and -Infinity, which the RFC does not allow. Depth
 * counts the containers within one scan_value(): `[]` has depth 1.
 */
#ifndef EVENT_SCAN_H
#define EVENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 512

struct scan {
	const char *at; /* the next byte; after a failure, the offending byte */
	const char *end;
	const char *reason; /* after a failure: static text */
	bool nonfinite_ok; /* accept NaN, Infinity and -Infinity; the caller may change it at any time */
	unsigned depth_max; /* at most JSON_DEPTH_MAX, which scan_begin() sets; the caller may change it at any time */

	/* Facts about the current value so far; scan_value() and scan_member() copy them into struct json. */
	size_t space; /* bytes of white space */
	ptrdiff_t growth; /* bytes added by writing null for each non-finite number */
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

/* A scanned value: its borrowed text, and facts about it. */
struct json {
	enum json_type type;
	bool escapes; /* a string or key in it has a backslash */
	bool unsafe; /* a string or key in it has \u0000 or a lone surrogate escape */
	bool nonfinite; /* it holds NaN, Infinity or -Infinity */
	const char *text;
	size_t len; /* from the first to the last byte of the value, quotes and brackets included */
	size_t tight; /* its length without insignificant white space and with null for each non-finite number */
};

/*
 * Skips white space to the first value of text, which must outlive the scan. An empty text is refused. This and the
 * functions below return false on failure, with scan->reason set.
 */
bool scan_begin(struct scan *scan, const char *text, size_t len);

/* Fails unless only white space follows up to the end. */
bool scan_finish(struct scan *scan);

/* Scans the value at scan->at and describes it in *value. */
bool scan_value(struct scan *scan, struct json *value);

/*
 * Iterate over the container whose opening bracket is at scan->at. Each call moves to the next element, which the
 * caller then passes by scan_value() or a nested iteration. The caller sets *first to true before the first call. In an
 * object *key is the member's key, a JSON_STRING, and scan->at its value.
 */
enum scan_step {
	SCAN_FAILED, /* see scan->reason */
	SCAN_ELEMENT,
	SCAN_CLOSED /* scan->at is after the closing bracket */
};

enum scan_step scan_element(struct scan *scan, bool *first);
enum scan_step scan_member(struct scan *scan, bool *first, struct json *key);

#endif
