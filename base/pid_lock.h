/* A lock file that keeps a second process away from files in use. It holds the pid of the lock's holder. */
#ifndef BASE_PID_LOCK_H
#define BASE_PID_LOCK_H

#include <sys/types.h>

#include "base/error.h"

/*
 * Creates the file if it is missing and takes its lock. Children inherit the lock; it ends when the last process with
 * the descriptor ends. The pid is missing from the file if the disk was full. option ("DATA_DIR") and what
 * ("DATA_DIR=/x") are for messages. Returns a descriptor to keep open, or <0 with errno: EWOULDBLOCK if another process
 * holds the lock, EEXIST if the file belongs to another program, or the errno of creating or locking it.
 */
int pid_lock(const char *path, const char *option, const char *what, struct error *err);

/* The pid of the lock's holder; 0: the lock is free, or the pid is unknown. */
pid_t pid_lock_holder(const char *path);

#endif
