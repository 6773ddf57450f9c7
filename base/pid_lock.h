/* A lock that keeps a second process away from files in use: a file beside them with the pid of the holder. */
#ifndef BASE_PID_LOCK_H
#define BASE_PID_LOCK_H

#include <sys/types.h>

#include "base/error.h"

/*
 * Creates the file if it is missing, and takes its lock. Children inherit the lock: it is held as long as any process
 * that has the descriptor lives. The file has the holder's pid, if the disk has room for it. option ("DATA_DIR") and
 * what ("DATA_DIR=/x") are for messages. Returns a descriptor to keep open, or <0 with errno: EWOULDBLOCK when another
 * process holds the lock, EEXIST when the file is another program's, else why it cannot be created or locked.
 */
int pid_lock(const char *path, const char *option, const char *what, struct error *err);

/* The pid of the process that holds the lock; 0: no process holds it, or its pid is not known. */
pid_t pid_lock_holder(const char *path);

#endif
