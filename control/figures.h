/*
 * What upkeep tells of the webhooks' store by the segment, so that nothing is asked of the store when metrics are read.
 * For upkeep's thread, in no transaction. The functions return as db_query(); after any result but 0 the figures stay
 * what they were.
 */
#ifndef CONTROL_FIGURES_H
#define CONTROL_FIGURES_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"

/* Jobs that wait, dead letters and nodes: cheap, every few seconds. */
int figures_tell(struct db *db, const struct config *config, const struct segment *segment, struct error *err);

/* Endpoints by state, and the jobs that are held for them: now and then. */
int figures_tell_endpoints(
    struct db *db, const struct config *config, const struct segment *segment, struct error *err);

#endif
