/* The API keys of the configuration. */
#ifndef MASTER_START_KEYS_H
#define MASTER_START_KEYS_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Puts HL_API_KEY and HL_ADMIN_KEY into the key table of the segment, instead of those of an earlier run; nothing when
 * there is no API. For the master, before it forks: no request comes before its key is known.
 */
void start_keys_put(const struct config *config, const struct segment *segment);

#endif
