/* Keeping a second process away from what one has, by a file beside it that says who has it. */
#ifndef BASE_PID_LOCK_H
#define BASE_PID_LOCK_H

#include <sys/types.h>

#include "base/error.h"

/*
 * Makes the file path if it is not there and takes its lock, which children inherit: it is held as long as any process
 * that has the descriptor lives. The file says who holds it, if the disk has room for that. option ("DATA_DIR") and what
 * ("DATA_DIR=/x") are for messages. Returns a descriptor to be kept open, or <0 with errno: EWOULDBLOCK when somebody else
 * has the lock, EEXIST when the file is another program's, else why it cannot be made or locked.
 */
int pid_lock(const char *path, const char *option, const char *what, struct error *err);

/* The pid of the process that holds the lock; 0: no process holds it, or its pid is not known. */
pid_t pid_lock_holder(const char *path);

#endif
