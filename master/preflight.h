/* For --check-config: what can be known of a start without starting. */
#ifndef MASTER_PREFLIGHT_H
#define MASTER_PREFLIGHT_H

#include "base/error.h"
#include "config/config.h"

enum preflight_condition { PREFLIGHT_WRONG = 1 };

/*
 * Looks at DATA_DIR, JSONL_PATH, RING_PATH and HOST, and changes nothing. 0: nothing speaks against a start. PREFLIGHT_WRONG:
 * an option names something of the wrong kind. <0: a start would fail here and now, or the events' file could not be
 * written, for this user on this machine.
 */
int preflight(const struct config *config, struct error *err);

#endif
