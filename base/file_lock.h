/* The lock of a whole file, flock(2), which children inherit with the descriptor. */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Takes the exclusive lock of fd. While another process holds it and holder_gone(fd) says that the process which took
 * it is gone, tries again for up to five seconds: the children of a killed master die with it, but not in the same
 * instant. Returns 0, or <0 with errno: EWOULDBLOCK when the lock is held.
 */
int file_lock(int fd, bool (*holder_gone)(int fd));

/* Whether no process has that pid. */
bool file_lock_pid_gone(pid_t pid);

#endif
