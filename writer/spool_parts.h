/* The list of a spool's files, for the parts of its implementation. */
#ifndef WRITER_SPOOL_PARTS_H
#define WRITER_SPOOL_PARTS_H

#include <limits.h>

#include "writer/spool.h"

void spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX]);

/* Closes it, if it is open, and forgets it. */
void spool_close_fd(int *fd);

/* Behind the others. */
void spool_add_part(struct spool *spool, const struct spool_part *part);

/*
 * Reads the header of a part of which only the name is known, and what stands behind the last append that it knows of.
 * Returns 0, or <0 when the file cannot be read now.
 */
int spool_examine(struct spool *spool, struct spool_part *part, struct error *err);

/*
 * Once all parts are examined: what is found in the spool and was not known to be there counts as received, because no
 * other run remembers it; what was and is not any more (somebody has removed it, or it is damaged), as damaged.
 */
void spool_reconcile(const struct spool *spool);

/* Puts what the metrics show of the spool into the slot. */
void spool_tell_levels(const struct spool *spool);

#endif
