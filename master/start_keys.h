/* The API keys of the configuration. */
#ifndef MASTER_START_KEYS_H
#define MASTER_START_KEYS_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Puts HL_API_KEY and HL_ADMIN_KEY into the segment's key table, replacing those of an earlier run; nothing without the
 * API. The master calls it before it forks, so that the keys are known before the first request.
 */
void start_keys_put(const struct config *config, const struct segment *segment);

#endif
