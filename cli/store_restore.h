/* hooksctl store restore. */
#ifndef CLI_STORE_RESTORE_H
#define CLI_STORE_RESTORE_H

#include <stdbool.h>

#include "config/config.h"

/*
 * Puts the snapshot in the directory from in the place of config's embedded store. validate_only: only says whether it
 * is whole. Returns an exit code of cli/commands.h.
 */
int store_restore(const struct config *config, const char *from, bool validate_only);

#endif
