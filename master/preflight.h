/* For --check-config: finds out without starting whether a start would succeed. */
#ifndef MASTER_PREFLIGHT_H
#define MASTER_PREFLIGHT_H

#include "base/error.h"
#include "config/config.h"

enum preflight_condition { PREFLIGHT_WRONG = 1 };

/*
 * Checks what DATA_DIR, the store's file, RING_PATH, HOST and PORT name, and changes nothing. Returns 0 when nothing
 * prevents a start; PREFLIGHT_WRONG when an option names something of the wrong kind; <0 when a start by this user
 * would fail now, or could not write the events' file.
 */
int preflight(const struct config *config, struct error *err);

#endif
