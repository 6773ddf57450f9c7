/*
 * The threads of control that do what no request asks for: one follows the API keys that other nodes change, and keeps
 * the key table up to date; the other one does tasks, some of which one node does for all.
 */
#ifndef CONTROL_UPKEEP_H
#define CONTROL_UPKEEP_H

#include "base/error.h"
#include "config/config.h"
#include "control/key_loader.h"
#include "shm/segment.h"
#include "store/db.h"

struct upkeep;

/*
 * Starts the threads (control/upkeep_thread.h). The arguments are borrowed until upkeep_stop(). NULL with *err when one
 * cannot be started: the process must end then.
 */
struct upkeep *upkeep_start(const struct config *config, const struct segment *segment, const struct db_env *env,
    struct key_loader *keys, struct error *err);

/*
 * Ends the threads; waits until that instant of the steady clock at most. Returns false when one is still in a
 * statement: what it uses must not be released then.
 */
bool upkeep_stop(struct upkeep *upkeep, int64_t until_us);

#endif
