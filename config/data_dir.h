/* The lock of DATA_DIR: only one hooksd, or one hooksctl that changes its files, uses the directory at a time. */
#ifndef CONFIG_DATA_DIR_H
#define CONFIG_DATA_DIR_H

#include <limits.h>

#include "base/error.h"

#define DATA_DIR_LOCK "lock" /* in data_dir */

/* Writes the path of the lock file. Returns 0, or <0 with errno: the path is too long. */
int data_dir_lock_path(const char *data_dir, char out[PATH_MAX], struct error *err);

/*
 * Creates data_dir if it is missing and locks the file DATA_DIR_LOCK in it, by pid_lock() (base/pid_lock.h). hooksd's
 * master calls this before it forks; the lock ends with the service's last process. Returns a descriptor to keep open,
 * or <0: the file cannot be created, or another process holds the lock.
 */
int data_dir_lock(const char *data_dir, struct error *err);

#endif
