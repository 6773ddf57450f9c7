/* Finds the known name nearest to a misspelt one. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

#define NEAREST_NAME_MAX 64 /* the longest name that is compared */

/*
 * The Levenshtein distance of name and given[0..len): the number of insertions, deletions and replacements between
 * them. len is at most NEAREST_NAME_MAX. Pure.
 */
size_t nearest_distance(const char *name, const char *given, size_t len);

#endif
