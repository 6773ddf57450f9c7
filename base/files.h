/* Opening files that must be there after a power cut; reading and writing all of a range. */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Opens path with flags and O_CREAT | O_CLOEXEC; a new file gets mode, missing directories above it are made. When it
 * returns, the name itself is durable: its directory is synced, and so are the names of directories that were made for
 * it. option ("JSONL_PATH") says in errors where the path comes from. Returns a descriptor, which the caller closes,
 * or <0 with errno; with O_EXCL nothing new is there then.
 */
int files_open(const char *path, int flags, mode_t mode, const char *option, struct error *err);

/* Makes the directories above path's file that are missing, as files_open() does. Returns 0, or <0 with errno. */
int files_make_parents(const char *path, const char *option, struct error *err);

/* Renames a file; when it returns 0 the new name is durable, or it was before. Else <0 and errno. */
int files_rename(const char *from, const char *to, struct error *err);

/*
 * Whether the open file has that name. Where the kernel does not say, files_in_place() is true and files_named() is
 * false: the first is for a file that goes on being used unless it is certainly gone, the second for one that can be
 * opened again.
 */
bool files_in_place(int fd, const char *path);
bool files_named(int fd, const char *path);

/* Renames a file that is in the way to PATH.set-aside.TIME, which aside says. Returns as files_rename(). */
int files_set_aside(const char *path, char aside[PATH_MAX], struct error *err);

/*
 * Read or write all of the range, whatever a single call does; files_write() writes at the descriptor's position.
 * Return 0, or <0 with errno; EIO: the file ends earlier.
 */
int files_read_at(int fd, void *out, size_t len, off_t at);
int files_write_at(int fd, const void *bytes, size_t len, off_t at);
int files_write(int fd, const void *bytes, size_t len);

#endif
