/*
 * The filter of system calls, by libseccomp. A refused call fails with EPERM and does not end the process: a library
 * that makes an unforeseen call gets an error, and no acknowledged event is lost.
 */
#ifndef BASE_SECCOMP_FILTER_H
#define BASE_SECCOMP_FILTER_H

#include <stdbool.h>

#include "base/error.h"

/* Whether the kernel has such filters and the container permits them. */
bool seccomp_filter_known(void);

/*
 * Applies the filter to this thread and the threads it starts. They cannot run a program, fork, trace or signal another
 * process, or make memory executable. Without connects they cannot make sockets either. With serves they can only make
 * the calls of a list: those of a server with open listeners and files. no_new_privs must be set. Returns 0, or <0 with
 * errno.
 */
int seccomp_filter_enter(bool serves, bool connects, struct error *err);

#endif
