/*
 * What filters and transforms have in common as JSON documents that customers write: where in it something is wrong,
 * which members an object has, what a path is. Everything is refused that a document does not define, a member that is
 * given twice included: a rule that is misspelt must not quietly do something else.
 *
 * A path names a value in an event: steps between dots ("payload.items.0.name"). A step is a member's name, or in a
 * list the number of an element, from 0. A name that holds a dot or that is empty cannot be written in a path.
 *
 * Pure: any process, any thread. Not for the path of an event: these functions run when a rule is made or loaded.
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
	const char *what; /* "filter" or "transform": the place of the whole document */
	const char *begin; /* of the text, borrowed */
	struct error *err;
};

/* Where a value stands in it: a member or, where name is NULL, an element of the place above. */
struct rule_place {
	const struct rule_place *up; /* NULL: the document itself */
	const char *name;
	uint32_t index;
};

/*
 * Sets the error "filter.and[2].value, byte 57: " and the sentence. place is NULL for the document itself; at points
 * into the text. Always -1.
 */
int rule_refuse(const struct rule *rule, const struct rule_place *place, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Starts on a document: at most RULE_BYTES_MAX bytes of JSON, one value. Sets rule->begin and *value, which borrows
 * text. The caller has set what and err. Returns 0 or -1.
 */
int rule_begin(struct rule *rule, struct span text, struct json *value);

/*
 * Reads the members of an object that scanned well: values[i] becomes that of names[i], JSON_ABSENT where there is
 * none. Refuses an object with any other member or with one of them twice. names ends with a NULL. Returns 0 or -1.
 */
int rule_members(const struct rule *rule, const struct rule_place *place, const struct json *object,
    const char *const names[], struct json values[]);

/* Whether a JSON string spells that text. */
bool rule_spells(const struct json *string, const char *text);

/* Appends what a JSON string spells to *text, as event/json_string.h has it. */
void rule_string(const struct json *string, struct bytes *text);

/*
 * Reads a path: appends its decoded text to *text, and sets steps[] to where in it the steps stand, as (offset,
 * length). Returns the number of steps, 1 to RULE_PATH_STEPS_MAX, or -1.
 */
struct rule_step {
	uint32_t at, len;
};
int rule_path(const struct rule *rule, const struct rule_place *place, const struct json *path, struct bytes *text,
    struct rule_step steps[RULE_PATH_STEPS_MAX]);

#endif
