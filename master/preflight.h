/* For --check-config: checks whether a start would succeed. */
#ifndef MASTER_PREFLIGHT_H
#define MASTER_PREFLIGHT_H

#include "base/error.h"
#include "config/config.h"

enum preflight_condition { PREFLIGHT_WRONG = 1 };

/*
 * Checks DATA_DIR, the stores' files, RING_PATH, HOST and PORT, without changing anything. Returns 0 if nothing
 * prevents a start; PREFLIGHT_WRONG if an option names a file of the wrong kind; <0 if a start by this user would fail
 * now or could not write a store's file.
 */
int preflight(const struct config *config, struct error *err);

#endif
