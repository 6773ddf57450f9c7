/* Computes the least size of the ring file. */
#ifndef SHM_RING_SIZE_H
#define SHM_RING_SIZE_H

#include "config/load.h"

/*
 * The size with which each lane holds the largest allowed request: records of MAX_BODY_BYTES and MAX_BATCH_EVENTS. It
 * is the ring_need argument of config_load(). Pure.
 */
struct ring_need ring_need(const struct config *config);

#endif
