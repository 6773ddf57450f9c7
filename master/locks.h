/*
 * Locks that keep a second service away from this one's files: DATA_DIR, the JSONL file, the SQLite databases. Master
 * only.
 */
#ifndef MASTER_LOCKS_H
#define MASTER_LOCKS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"

struct locks {
	struct held_lock {
		const char *option;
		char path[PATH_MAX], what[PATH_MAX + 16]; /* "DATA_DIR=/x" */
		int fd; /* -1: none */
		bool lost; /* the file was removed and not made again */
		bool logged; /* the failure to make it again was logged */
	} items[3];
	uint32_t count;
	int watch; /* inotify; -1: none */
};

/*
 * Takes the locks. Children inherit them, so they last as long as any process. If the store's file cannot be locked,
 * the service still starts, with a warning: on a full or read-only disk it works with the spool. Returns 0, or <0:
 * another service has a lock, or DATA_DIR cannot be locked.
 */
int locks_take(struct locks *locks, const struct config *config, struct error *err);

/* For children: closes the master's inotify descriptor and keeps the locks. */
void locks_forget(struct locks *locks);

/*
 * Makes a removed lock file again, so that a second service still finds it. Does not access the disk unless inotify
 * reports a removal, because a hanging disk must not block the master.
 */
void locks_check(struct locks *locks);

#endif
