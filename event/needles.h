/*
 * The values of all `contains` conditions on one place of an event. They are searched together: in one pass over a
 * string, or by one lookup per element of a list. The string search is the automaton of Aho and Corasick, which reads
 * each byte once, however many values there are.
 *
 * Pure. Any number of threads may use needles.
 */
#ifndef EVENT_NEEDLES_H
#define EVENT_NEEDLES_H

#include <stdint.h>

#include "base/span.h"
#include "event/json_number.h"
#include "event/rule.h"
#include "event/scan.h"

#define NEEDLE_NONE UINT32_MAX

/* A value to look for; never a list or an object. */
struct needle {
	enum json_type type;
	json_number number; /* if a number; for a boolean 0 or 1 */
	struct span string; /* if a string: decoded, at most RULE_BYTES_MAX bytes */
	uint32_t hit; /* set by needles_new(): this value's number, the same for equal values */
};

struct needles;

/* Builds needles for the values. Never NULL; borrows nothing. The caller frees it. */
struct needles *needles_new(struct needle *values, uint32_t count);
void needles_free(struct needles *needles);

/* Hits are below this. */
uint32_t needles_hits(const struct needles *needles);

size_t needles_bytes(const struct needles *needles);

/* The hit of the value equal to the list element, or NEEDLE_NONE. scratch has RULE_BYTES_MAX bytes. */
uint32_t needles_find(const struct needles *needles, const struct json *element, char *scratch);

/* Sets hits[h] to turn for the hit h of each string contained in the JSON string. No hit may equal turn before. */
void needles_search(const struct needles *needles, const struct json *string, uint64_t *hits, uint64_t turn);

#endif
