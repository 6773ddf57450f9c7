/*
 * Reading filters and transforms, JSON documents that customers write: places for error messages, members of objects,
 * paths. Undefined and repeated members are refused, so that a misspelt rule does not silently do something else.
 *
 * A path names a value in an event: steps separated by dots ("payload.items.0.name"). A step is a member's name, or the
 * number of a list element, from 0. A path cannot name a member whose name is empty or has a dot.
 *
 * Pure: any process, any thread. These functions run when a rule is made or loaded, not for each event.
 */
#ifndef EVENT_RULE_H
#define EVENT_RULE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/span.h"
#include "event/scan.h"

#define RULE_BYTES_MAX 16384 /* of a filter's or transform's text */
#define RULE_PATH_BYTES_MAX 1024
#define RULE_PATH_STEPS_MAX 32

/* A document that is being read. */
struct rule {
	const char *what; /* "filter" or "transform": the document's name in messages */
	const char *begin; /* start of the text, borrowed */
	struct error *err;
};

/* The place of a value: a member or, if name is NULL, an element of the place `up`. */
struct rule_place {
	const struct rule_place *up; /* NULL: the document itself */
	const char *name;
	uint32_t index;
};

/*
 * Sets the error to "filter.and[2].value, byte 57: " and the sentence. place is NULL for the document itself; at points
 * into the text. Returns -1.
 */
int rule_refuse(const struct rule *rule, const struct rule_place *place, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Begins a document: one JSON value of at most RULE_BYTES_MAX bytes. Sets rule->begin and *value, which borrow text.
 * The caller has set what and err. Returns 0 or -1.
 */
int rule_begin(struct rule *rule, struct span text, struct json *value);

/*
 * Reads the members of a scanned object: values[i] becomes the member names[i], or JSON_ABSENT. Refuses unknown and
 * repeated members. names ends with NULL. Returns 0 or -1.
 */
int rule_members(const struct rule *rule, const struct rule_place *place, const struct json *object,
    const char *const names[], struct json values[]);

/* Whether a JSON string, decoded, equals text. */
bool rule_spells(const struct json *string, const char *text);

/* Appends the decoded string to *text (event/json_string.h). */
void rule_string(const struct json *string, struct bytes *text);

/*
 * Reads a path: appends its decoded text to *text and sets steps[] to the steps' offsets and lengths there. Returns the
 * number of steps, 1 to RULE_PATH_STEPS_MAX, or -1.
 */
struct rule_step {
	uint32_t at, len;
};
int rule_path(const struct rule *rule, const struct rule_place *place, const struct json *path, struct bytes *text,
    struct rule_step steps[RULE_PATH_STEPS_MAX]);

#endif
