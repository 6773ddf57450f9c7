/*
 * The thread of control that does what no request asks for: it follows the changes that other nodes make, keeps the key
 * table up to date, and does the tasks that one node does for all.
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
 * Starts the thread, which opens a connection to the webhooks' store of its own, again and again until that works. The
 * arguments are borrowed until upkeep_stop(). NULL with *err when no thread can be started.
 */
struct upkeep *upkeep_start(const struct config *config, const struct segment *segment, const struct db_env *env,
    struct key_loader *keys, struct error *err);

/*
 * Ends the thread; waits until that instant of the steady clock at most. Returns false when it is still in a statement:
 * what it uses must not be released then.
 */
bool upkeep_stop(struct upkeep *upkeep, int64_t until_us);

#endif
