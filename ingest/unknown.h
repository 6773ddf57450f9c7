/*
 * The fields of an event that the API does not define: recorded while its object is scanned, then added to its data.
 * Private to ingest/.
 */
#ifndef INGEST_UNKNOWN_H
#define INGEST_UNKNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/scan.h"
#include "ingest/decode_env.h"

/* The most different unknown names of an event: limits memory and the time for comparisons. */
#define UNKNOWN_FIELDS_MAX 500

struct unknown_field {
	struct json member; /* from its key to the end of its value; JSON_ABSENT: data has a member of that name */
	size_t key_len; /* quotes included */
};

/* Borrows from the request's body. The caller clears the first three members; unknown_scan() adds to them. */
struct unknown_fields {
	bool any;
	bool too_many; /* more than fit into fields */
	uint32_t count; /* entries of fields; 0 when unknown fields are ignored */
	size_t bytes; /* bytes that unknown_write() adds to data */
	uint16_t order[UNKNOWN_FIELDS_MAX]; /* indexes of fields, sorted by decoded key */
	struct unknown_field fields[UNKNOWN_FIELDS_MAX]; /* each name once, with its last value */
};

/*
 * Scans the value at scan->at of a member with that key, and records both unless action is UNKNOWN_IGNORE. A kept value
 * has the rules of data: NaN is allowed, and the same depth. Returns false for a syntax error: see scan->reason.
 */
bool unknown_scan(
    struct unknown_fields *unknown, struct scan *scan, const struct json *key, enum unknown_action action);

/* Records a scanned member: its key and its value. */
void unknown_add(struct unknown_fields *unknown, const struct json *key, const struct json *value);

/*
 * Drops the fields whose names are also members of data, an object. Sets data->unsafe and data->nonfinite if a kept
 * field is.
 */
void unknown_select(struct unknown_fields *unknown, struct json *data);

/* Adds the selected fields to data. rewrite_tight() has written data so that it ends at `end`. */
void unknown_write(const struct unknown_fields *unknown, const struct json *data, char *end);

#endif
