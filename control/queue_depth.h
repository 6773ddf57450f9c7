/*
 * What upkeep tells the other processes of the jobs that wait, by the segment: acceptors refuse publishes of tenants of
 * which more wait than HL_MAX_QUEUE_DEPTH. For upkeep's thread.
 */
#ifndef CONTROL_QUEUE_DEPTH_H
#define CONTROL_QUEUE_DEPTH_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"

/* Looks for the tenants with too many, and tells them; at once 0 without that option. As db_query(). */
int queue_depth_limit(struct db *db, const struct config *config, const struct segment *segment, struct error *err);

#endif
