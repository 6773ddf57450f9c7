/*
 * Landlock (landlock(7)) by its three system calls; the C library of Debian 12 has no functions for them. A process
 * that has entered a set of rules opens only files that the rules allow. Linux 5.13 introduced Landlock. Later versions
 * restrict more; an older kernel allows everything that it cannot restrict.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include <stdbool.h>

#include "base/error.h"

/* The version of the kernel's Landlock; 0: the kernel has none, or the container forbids the call. */
int landlock_version(void);

/*
 * Makes a set of rules that allows no file and no signal to other processes. connects: it allows TCP connections.
 * Returns a descriptor for the caller to close, or <0 with errno.
 */
int landlock_rules(bool connects, struct error *err);

/*
 * Allows reading the file fd, or all files beneath the directory fd; O_PATH suffices. writes: also allows writing,
 * making and removing files there, and making directories. Returns 0, or <0 with errno.
 */
int landlock_allow(int rules, int fd, bool writes, struct error *err);

/* Applies the rules to this thread and the threads it starts. no_new_privs must be set. Returns 0, or <0 with errno. */
int landlock_enter(int rules, struct error *err);

#endif
