/*
 * The background threads of control: one follows changes of API keys by other nodes, and keeps the key table up to
 * date; the other one does tasks, some of which one node does for all.
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
 * Starts the threads (control/upkeep_thread.h). The arguments are borrowed until upkeep_stop(). NULL with *err: one
 * could not be started, and the process must end.
 */
struct upkeep *upkeep_start(const struct config *config, const struct segment *segment, const struct db_env *env,
    struct key_loader *keys, struct error *err);

/*
 * Ends the threads; waits until until_us (steady) at most. false: one is still within a statement, and its resources
 * must not be released.
 */
bool upkeep_stop(struct upkeep *upkeep, int64_t until_us);

#endif
