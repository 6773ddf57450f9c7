/* The list of a spool's files, for the two halves of its implementation. */
#ifndef WRITER_SPOOL_PARTS_H
#define WRITER_SPOOL_PARTS_H

#include <limits.h>

#include "writer/spool.h"

void spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX]);

/* Behind the others. */
void spool_add_part(struct spool *spool, const struct spool_part *part);

/* Puts what the metrics show of the spool into the slot. */
void spool_tell_levels(const struct spool *spool);

#endif
