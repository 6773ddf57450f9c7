/* DATA_DIR belongs to one service at a time. */
#ifndef SERVER_DATA_DIR_H
#define SERVER_DATA_DIR_H

#include "base/error.h"

/*
 * Makes data_dir if it is not there and takes the lock of the file `lock` in it, which the children inherit: it is held
 * as long as any process of the service lives. The file says who holds it. Master only, before it forks. Returns a
 * descriptor to be kept open, or <0: the directory cannot be made or written to, or another master has it.
 */
int data_dir_lock(const char *data_dir, struct error *err);

#endif
