/* The locks that keep a second service away from this one's files: of DATA_DIR, and of the JSONL file or the SQLite database. Master only. */
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
		bool lost; /* somebody has removed the file, and it has not been made again */
		bool told;
	} items[2];
	uint32_t count;
	int watch; /* inotify; -1: none */
};

/*
 * Takes them; children inherit them, so they are held as long as one lives. Where there can be no lock file for
 * the store's file, on a disk that is full or read-only, there is a spool, but no lock. Returns 0, or <0: somebody has one.
 */
int locks_take(struct locks *locks, const struct config *config, struct error *err);

/*
 * Makes a lock file again that somebody has removed since, so that a second service still finds it. Touches no disk as
 * long as nothing has happened: a disk that hangs must not hold up the master.
 */
void locks_look(struct locks *locks);

#endif
