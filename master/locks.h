/*
 * The locks that keep a second service away from this one's files: DATA_DIR, and the JSONL file or SQLite databases.
 * Master only.
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
		bool lost; /* the file was removed, and has not been made again */
		bool logged; /* that it cannot be made again */
	} items[3];
	uint32_t count;
	int watch; /* inotify; -1: none */
};

/*
 * Takes the locks; children inherit them, so that they are held while any process lives. Without a lock on the store's
 * file the service starts all the same, with a warning: on a full or read-only disk it works with the spool. Returns 0,
 * or <0 when another service has a lock or DATA_DIR cannot be locked.
 */
int locks_take(struct locks *locks, const struct config *config, struct error *err);

/* Closes what only the master uses to watch them. For children, which keep the locks. */
void locks_forget(struct locks *locks);

/*
 * Makes a lock file again that was removed, so that a second service still finds it. Touches no disk while nothing was
 * removed: a disk that hangs must not hold up the master.
 */
void locks_check(struct locks *locks);

#endif
