/* Misspelt names: which known name somebody may have meant. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

#define NEAREST_NAME_MAX 64 /* the longest name that is compared */

/*
 * The Levenshtein distance: how many insertions, deletions and replacements turn name into given[0..len), of which len
 * is at most NEAREST_NAME_MAX. Pure.
 */
size_t nearest_distance(const char *name, const char *given, size_t len);

#endif
