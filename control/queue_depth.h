/*
 * Lists tenants with more waiting jobs than HL_MAX_QUEUE_DEPTH in the segment: acceptors refuse their publishes. For
 * upkeep's thread.
 */
#ifndef CONTROL_QUEUE_DEPTH_H
#define CONTROL_QUEUE_DEPTH_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"

/* Finds tenants with too many waiting jobs, and lists them; does nothing without that option. As db_query(). */
int queue_depth_limit(struct db *db, const struct config *config, const struct segment *segment, struct error *err);

#endif
