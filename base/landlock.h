/*
 * Landlock (landlock(7)) by its three system calls, for which the C library of Debian 12 has no functions. A process
 * that has entered a set of rules opens nothing but what they allow. Kernels from 5.13 on have it, and each later
 * version restricts more; what a kernel does not know stays allowed.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include <stdbool.h>

#include "base/error.h"

/* The version of the kernel's Landlock; 0: there is none, or the container refuses to ask. */
int landlock_version(void);

/*
 * Makes rules that allow nothing yet: no file, and no signal to other processes. connects: TCP connections are allowed.
 * Returns a descriptor, which the caller closes, or <0 with errno.
 */
int landlock_rules(bool connects, struct error *err);

/*
 * Allows to read what is beneath the directory, or the file, that is open as fd, perhaps by O_PATH alone. writes: also
 * to write, make and remove files there, and to make directories. Returns 0, or <0 with errno.
 */
int landlock_allow(int rules, int fd, bool writes, struct error *err);

/* They hold from now on for this thread, and those that it starts. no_new_privs is set. Returns 0, or <0 with errno. */
int landlock_enter(int rules, struct error *err);

#endif
