/* Finds the ring of the hooksd that the options name, while it runs or after its end. */
#ifndef CLI_RING_FIND_H
#define CLI_RING_FIND_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Maps for reading the ring at RING_PATH, or else that of the hooksd that has DATA_DIR, whose file may have lost its
 * name. Returns 0, and the caller calls segment_close(); or <0 after reporting why, with the command's name.
 */
int ring_find(struct segment *segment, const struct config *config, const char *command);

#endif
