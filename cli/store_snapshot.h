/* hooksctl store snapshot create. */
#ifndef CLI_STORE_SNAPSHOT_H
#define CLI_STORE_SNAPSHOT_H

#include "config/config.h"

/*
 * Copies the embedded store of config, which hooksd may have open, into the directory dest, which is new or empty.
 * Returns an exit code of cli/commands.h.
 */
int store_snapshot_create(const struct config *config, const char *dest);

#endif
