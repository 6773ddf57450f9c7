/*
 * Copies figures of the webhooks' store to the segment, so that reading metrics does not query the store. For upkeep's
 * thread, in no transaction. The functions return as db_query(); after any result but 0 the figures are unchanged.
 */
#ifndef CONTROL_STORE_LEVELS_H
#define CONTROL_STORE_LEVELS_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"

/* Waiting jobs, dead letters and nodes: cheap, every few seconds. */
int store_levels_update(struct db *db, const struct config *config, const struct segment *segment, struct error *err);

/* Endpoints by state, and their held jobs: now and then. */
int store_levels_update_endpoints(
    struct db *db, const struct config *config, const struct segment *segment, struct error *err);

#endif
