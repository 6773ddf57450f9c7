/* hooksctl store restore. */
#ifndef CLI_STORE_RESTORE_H
#define CLI_STORE_RESTORE_H

#include <stdbool.h>

#include "config/config.h"

/*
 * Replaces config's embedded store by the snapshot in the directory `from`. validate_only: only checks the snapshot.
 * Returns an exit code of cli/commands.h.
 */
int store_restore(const struct config *config, const char *from, bool validate_only);

#endif
