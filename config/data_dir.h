/* The lock of DATA_DIR: one hooksd, or one hooksctl that works on its files, has the directory at a time. */
#ifndef CONFIG_DATA_DIR_H
#define CONFIG_DATA_DIR_H

#include <limits.h>

#include "base/error.h"

#define DATA_DIR_LOCK "lock" /* in data_dir */

/* Writes the path of the lock file. Returns 0, or <0 with errno: the path is too long. */
int data_dir_lock_path(const char *data_dir, char out[PATH_MAX], struct error *err);

/*
 * Creates data_dir if it is missing, and locks the file DATA_DIR_LOCK in it. Children inherit the lock: it is held as
 * long as any process of the service lives. The file has the holder's pid, if the disk has room for it. hooksd's master
 * calls this before it forks. Returns a descriptor to keep open, or <0: the file cannot be created, or is locked by
 * another.
 */
int data_dir_lock(const char *data_dir, struct error *err);

#endif
