/*
 * Limits what a process can do after its start, so that an intruder who takes it over gains little. Three mechanisms of
 * Linux enforce it: an empty capability set with no_new_privs, a filter of system calls (base/seccomp_filter.h), and
 * Landlock's rules for files (base/landlock.h).
 *
 * Fill a struct sandbox while the process may still open everything. sandbox_enter() applies it to the process and all
 * threads started afterwards. Descriptors opened before stay usable.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SANDBOX_PLACES_MAX 128

/* All zero: a process that computes, uses its open descriptors and starts threads. */
struct sandbox {
	bool serves; /* accepts connections; opens no file, no other socket and no thread, so it has no places */
	bool connects; /* makes connections, to other machines and to local programs */
	struct sandbox_place {
		char *path; /* owned; NULL: the file that is open as fd */
		int fd; /* borrowed */
		bool writes;
	} places[SANDBOX_PLACES_MAX]; /* files it may open: one file each, or all beneath a directory */
	uint32_t count;
};

/* Allows reading the file, or all files beneath the directory. A path that does not exist is skipped. */
void sandbox_may_read(struct sandbox *sandbox, const char *path);

/*
 * Allows reading, writing, making and removing files beneath the directory, and making directories. If it does not
 * exist, its nearest existing parent is allowed instead, but never "/".
 */
void sandbox_may_write(struct sandbox *sandbox, const char *directory);

/* Allows opening the file of fd again, by another name. */
void sandbox_may_reopen(struct sandbox *sandbox, int fd);

enum sandbox_condition { SANDBOX_REFUSED = 1 };

/*
 * Applies the sandbox; called once in a process, before its first thread. Also closes all descriptors that are not
 * close-on-exec: those that a shell left open. Always releases the struct's paths. Returns 0; SANDBOX_REFUSED with the
 * reason in err: the kernel or the container refuses a part, and the rest holds; or <0.
 */
int sandbox_enter(struct sandbox *sandbox, struct error *err);

/*
 * Logs a warning and ends the process if a path of its sandbox now names another file or directory: replaced, created
 * later, or hidden by a mount. The rules cover the old inode; the successor's rules will cover the new one. Call it
 * after a failure, but never while this process holds state that a successor cannot find. Does nothing without a
 * sandbox or without Landlock.
 */
void sandbox_end_if_stale(void);

/* The mechanisms that the kernel or the container lacks: "seccomp", "Landlock" or both; NULL: it has all. */
const char *sandbox_missing(void);

/*
 * hidden: other processes of the same user cannot read the memory of this process and of its children, and the kernel
 * writes no core file. False allows both again.
 */
void sandbox_hide_memory(bool hidden);

#endif
