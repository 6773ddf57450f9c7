/*
 * The fields of an event that the API does not define: remembered while its object is scanned, then added to the
 * members of its data. Private to ingest/.
 */
#ifndef INGEST_UNKNOWN_H
#define INGEST_UNKNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/scan.h"
#include "ingest/decode_env.h"

/* The most different names that an event may have: this bounds memory, and the time of comparing them. */
#define UNKNOWN_FIELDS_MAX 500

struct unknown_field {
	struct json member; /* from its key to the end of its value; JSON_ABSENT: data has a member of that name */
	size_t key_len; /* quotes included */
};

/* Borrows from the request's body. The caller clears the first three members; unknown_scan() adds to them. */
struct unknown_fields {
	bool any;
	bool too_many; /* there were more than fit into fields */
	uint32_t count; /* entries of fields; 0 when unknown fields are ignored */
	size_t bytes; /* that unknown_write() adds to data */
	uint16_t order[UNKNOWN_FIELDS_MAX]; /* numbers of fields, sorted by what their keys spell */
	struct unknown_field fields[UNKNOWN_FIELDS_MAX]; /* each name once, with its last value */
};

/*
 * Moves over the value at scan->at of a member with that key, and remembers both unless unknown fields are ignored. A
 * value to keep may hold NaN and be as deep as a member of data may. Returns false for a syntax error: see
 * scan->reason.
 */
bool unknown_scan(
    struct unknown_fields *unknown, struct scan *scan, const struct json *key, enum unknown_action action);

/* Remembers a member that was scanned: its key, and its value. */
void unknown_add(struct unknown_fields *unknown, const struct json *key, const struct json *value);

/*
 * Selects the fields to keep: those whose names no member of data, an object, has. Sets data->unsafe and
 * data->nonfinite if one of them is.
 */
void unknown_select(struct unknown_fields *unknown, struct json *data);

/* Adds the selected fields to data, which rewrite_tight() wrote so that it ends before `end`. */
void unknown_write(const struct unknown_fields *unknown, const struct json *data, char *end);

#endif
