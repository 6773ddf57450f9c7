/*
 * What a process may do after its start, and nothing else: a process that strangers talk to is of little use to one
 * that takes it over. Three things of Linux do it: an empty set of capabilities together with no_new_privs, a filter of
 * system calls (base/seccomp_filter.h), and Landlock, which knows files by their directories (base/landlock.h).
 *
 * A struct sandbox is put together while everything may still be opened. sandbox_enter() makes it hold, for the process
 * and all threads that it starts afterwards. What was opened before stays usable.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SANDBOX_PLACES_MAX 128

/* Zero: a process that computes, reads and writes what it has open, and starts threads. */
struct sandbox {
	bool serves; /* it accepts connections, and opens no file, no other socket and no thread: it has no places */
	bool connects; /* to other machines, and to programs of this one */
	struct sandbox_place {
		char *path; /* owned; NULL: the file that is open as fd */
		int fd; /* borrowed */
		bool writes;
	} places[SANDBOX_PLACES_MAX]; /* what it may open, all that is beneath a directory or one file */
	uint32_t count;
};

/* It may read what is there, or all that is beneath. A place that is not there is left out. */
void sandbox_may_read(struct sandbox *sandbox, const char *path);

/*
 * It may read, write, make and remove files beneath that directory, and make directories. In the place of one that is
 * not there stands the nearest directory above it, but never "/".
 */
void sandbox_may_write(struct sandbox *sandbox, const char *directory);

/* It may open again, by another name, the file that it has open as fd. */
void sandbox_may_reopen(struct sandbox *sandbox, int fd);

enum sandbox_condition { SANDBOX_REFUSED = 1 };

/*
 * Makes it hold; called once in a process, before its first thread. Also closes the descriptors that a shell had
 * left open at the start: those that are not close-on-exec. Releases what the struct owns, in any case. Returns 0;
 * SANDBOX_REFUSED with the reason in err: the kernel or a container refuses a part, and the rest holds; or <0.
 */
int sandbox_enter(struct sandbox *sandbox, struct error *err);

/*
 * Ends the process, with a line in the log, if a place of its sandbox is another file or directory now: moved away,
 * made anew or for the first time, or under a file system that was mounted since. Its rights are those to the old one,
 * and its successor gets them to the new one. Called when something fails, but not while this process holds what no
 * other would find; does nothing in a process without a sandbox, or where Landlock is left out.
 */
void sandbox_end_if_stale(void);

/* What this kernel, or the container, does not have of the above: "seccomp", "Landlock", both; NULL: nothing. */
const char *sandbox_missing(void);

/*
 * Other processes of the same user cannot look into the memory of this one, or of those that it forks, nor does the
 * kernel write it into a core file; or all that is allowed again.
 */
void sandbox_hide_memory(bool hidden);

#endif
