/* How large the ring file must be. */
#ifndef SHM_RING_SIZE_H
#define SHM_RING_SIZE_H

#include "config/load.h"

/*
 * What the ring file needs so that each of its lanes holds the largest request that is allowed: records of
 * MAX_BODY_BYTES and MAX_BATCH_EVENTS. config_load() takes this function. Pure.
 */
struct ring_need ring_need(const struct config *config);

#endif
