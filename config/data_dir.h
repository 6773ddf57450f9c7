/* DATA_DIR belongs to one service at a time, or to who takes its place for a while. */
#ifndef CONFIG_DATA_DIR_H
#define CONFIG_DATA_DIR_H

#include <limits.h>

#include "base/error.h"

#define DATA_DIR_LOCK "lock" /* in data_dir */

/* The lock's path. 0, or <0: too long, with errno. */
int data_dir_lock_path(const char *data_dir, char out[PATH_MAX], struct error *err);

/*
 * Makes data_dir if it is not there and takes the lock of the file `lock` in it, which children inherit: it is held as
 * long as any process of the service lives. The file says who holds it, if the disk has room for that. hooksd's master
 * takes it before it forks. Returns a descriptor to be kept open, or <0: the file cannot be made, or somebody else has it.
 */
int data_dir_lock(const char *data_dir, struct error *err);

#endif
