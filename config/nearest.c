/* Computes the table of distances in one row. */
#include "config/nearest.h"

#include <assert.h>

size_t
nearest_distance(const char *name, const char *given, size_t len)
{
	size_t row[NEAREST_NAME_MAX + 1];

	assert(len <= NEAREST_NAME_MAX);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; name[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t replaced = diagonal + (name[i] != given[j]);

			diagonal = row[j + 1];
			size_t best = (row[j] < diagonal ? row[j] : diagonal) + 1;
			row[j + 1] = replaced < best ? replaced : best;
		}
	}
	return row[len];
}
