/*
 * The filter of system calls, by libseccomp. What is refused fails with EPERM and ends no process: a library that asks
 * for more than was foreseen has an error, and nothing acknowledged is lost.
 */
#ifndef BASE_SECCOMP_FILTER_H
#define BASE_SECCOMP_FILTER_H

#include <stdbool.h>

#include "base/error.h"

/* Whether the kernel has such filters, and the container lets this process ask. */
bool seccomp_filter_known(void);

/*
 * From now on this thread, and those that it starts, cannot run a program, fork, trace or signal another process, or
 * make memory executable. Without connects they also make no socket. With serves they may do nothing but what a server
 * does that has its listeners and files open: for that there is a list of what is allowed. no_new_privs is set. Returns
 * 0, or <0 with errno.
 */
int seccomp_filter_enter(bool serves, bool connects, struct error *err);

#endif
