/* A lock on a whole file by flock(2). Children inherit it with the descriptor. */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Takes the exclusive lock on fd. If the lock is held but holder_gone(fd) reports its taker dead, tries again for up to
 * five seconds: the children of a killed master hold the lock until they die, too. Returns 0, or <0 with errno:
 * EWOULDBLOCK when the lock is held.
 */
int file_lock(int fd, bool (*holder_gone)(int fd));

/* Whether no process has that pid. */
bool file_lock_pid_gone(pid_t pid);

#endif
