/* Opens files so that they survive a power cut; reads and writes whole ranges. */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Opens path with flags and O_CREAT | O_CLOEXEC. A new file gets mode; missing parent directories are made. On return
 * the name is durable: its directory and the parents of new directories are synced. option ("JSONL_PATH") names the
 * path's origin in errors. Returns a descriptor for the caller to close, or <0 with errno; with O_EXCL a failed call
 * leaves no new file.
 */
int files_open(const char *path, int flags, mode_t mode, const char *option, struct error *err);

/* Makes the missing parent directories of path, as files_open() does. Returns 0, or <0 with errno. */
int files_make_parents(const char *path, const char *option, struct error *err);

/* Renames a file durably: it syncs the directory of the new name. Returns 0, or <0 with errno. */
int files_rename(const char *from, const char *to, struct error *err);

/*
 * Whether path names the open file. If stat(2) fails for another reason than a missing file, files_in_place() returns
 * true and files_named() false: use the first for a file to keep unless it is certainly gone, the second for a file
 * that can be reopened.
 */
bool files_in_place(int fd, const char *path);
bool files_named(int fd, const char *path);

/* Renames a file to PATH.set-aside.TIME and writes that name into aside. Returns as files_rename(). */
int files_set_aside(const char *path, char aside[PATH_MAX], struct error *err);

/*
 * Read or write the whole range, repeating short calls; files_write() writes at the descriptor's position. Return 0, or
 * <0 with errno; EIO: the file ends before the range does.
 */
int files_read_at(int fd, void *out, size_t len, off_t at);
int files_write_at(int fd, const void *bytes, size_t len, off_t at);
int files_write(int fd, const void *bytes, size_t len);

#endif
