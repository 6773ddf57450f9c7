/*
 * The values that the filters' `contains` look for at one place of an event: all of them are looked for at once, in one
 * pass over a string, and by one search for each element of a list. How many there are, and what they look like, costs
 * next to nothing: a string is searched by the automaton of Aho and Corasick, which reads each of its bytes once.
 *
 * Pure. Needles may be used by any number of threads.
 */
#ifndef EVENT_NEEDLES_H
#define EVENT_NEEDLES_H

#include <stdint.h>

#include "base/span.h"
#include "event/json_number.h"
#include "event/rule.h"
#include "event/scan.h"

#define NEEDLE_NONE UINT32_MAX

/* A value to look for, which is no list and no object. */
struct needle {
	enum json_type type;
	json_number number; /* of a number; of a boolean 0 or 1 */
	struct span string; /* of a string: what it spells, at most RULE_BYTES_MAX bytes */
	uint32_t hit; /* needles_new() sets it: the number of this value, the same for equal ones */
};

struct needles;

/* Never NULL; borrows nothing. The caller frees it. */
struct needles *needles_new(struct needle *values, uint32_t count);
void needles_free(struct needles *needles);

/* Hits are below this. */
uint32_t needles_hits(const struct needles *needles);

size_t needles_bytes(const struct needles *needles);

/* The hit of the value that equals an element, or NEEDLE_NONE. scratch has RULE_BYTES_MAX bytes. */
uint32_t needles_find(const struct needles *needles, const struct json *element, char *scratch);

/* Sets hits[h] to turn for the hit h of each string that the JSON string holds; none of them is turn before. */
void needles_search(const struct needles *needles, const struct json *string, uint64_t *hits, uint64_t turn);

#endif
